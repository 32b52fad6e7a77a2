import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { engineRequestSchema, MAX_LINE, WRITER_PROTOCOL } from '../../src-contract/WriterWire.ts';
import type {
  CardContent,
  EngineRequest,
  EngineTarget,
  WriterReport,
} from '../../src-contract/WriterWire.ts';
import { failure, failureOf } from '../../src-core/Failure.ts';
import type { Failure } from '../../src-core/Failure.ts';
import { JsonLines, jsonLine } from '../../src-core/JsonLines.ts';
import { inspectCard } from './CardInspection.ts';
import { runDecodeThread } from './DecodeThread.ts';
import { runDigestThread } from './DigestThread.ts';
import { EngineJob } from './EngineJob.ts';
import { openDevice, systemPorts } from './systemPorts.ts';
import type { ThreadStart } from './ThreadMessages.ts';

/**
 * The unprivileged half of the writer: requests on stdin, reports on stdout, devices as descriptors
 * that it inherited. Ends with its stdin: without the one who asked there is nobody to tell.
 */
function runEngine(): void {
  let job: EngineJob | null = null;

  const report = (message: WriterReport): void => {
    process.stdout.write(jsonLine(message));
  };
  const reject = (cause: Failure): void => {
    report({ v: WRITER_PROTOCOL, type: 'rejected', failure: cause });
  };

  const run = async (order: Extract<EngineRequest, { type: 'order' }>['order']): Promise<void> => {
    const { jobId } = order;
    job = new EngineJob(
      order,
      systemPorts((event) => {
        report({ v: WRITER_PROTOCOL, type: 'event', jobId, event });
      }),
    );
    await job.run();
    job = null;
  };

  const inspect = async (target: EngineTarget): Promise<CardContent> =>
    inspectCard(openDevice(target, 'read'), target);

  const serve = (request: EngineRequest): void => {
    if (request.type === 'cancel') {
      job?.cancel(request.cardId);
    } else if (job !== null) {
      reject(failure('writer-busy', {}));
    } else if (request.type === 'order') {
      void run(request.order);
    } else {
      const { jobId, target } = request;
      inspect(target).then(
        (content) => {
          report({ v: WRITER_PROTOCOL, type: 'content', jobId, content });
        },
        (thrown: unknown) => {
          reject(failureOf(thrown));
        },
      );
    }
  };

  const lines = new JsonLines(engineRequestSchema, WRITER_PROTOCOL, MAX_LINE);
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', (text: string) => {
    try {
      for (const request of lines.push(text)) serve(request);
    } catch (thrown) {
      reject(failureOf(thrown));
    }
  });
  // What the terminal sends to everyone (Ctrl+C, its end) is for the program to answer, with `cancel`.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const)
    process.on(signal, () => undefined);
  process.stdin.on('end', () => process.exit());
  // The program that asked may be gone; its stdin ends as well.
  process.stdout.on('error', () => process.exit());
}

if (isMainThread) {
  runEngine();
} else if (parentPort !== null) {
  const start = workerData as ThreadStart;
  if (start.role === 'decode') runDecodeThread(start, parentPort);
  else runDigestThread(start, parentPort);
}
