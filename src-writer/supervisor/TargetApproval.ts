import type { DriveOrder } from '../../src-contract/WriterWire.ts';
import { type Drive, identityDifference, identityOf } from '../../src-core/Drive.ts';
import { classifyDrive } from '../../src-core/DriveVerdict.ts';
import { type Failure, fail, failureOf } from '../../src-core/Failure.ts';

export interface ApprovalRequest extends Pick<
  DriveOrder,
  'targets' | 'imageSize' | 'allowVirtual'
> {
  readonly forWriting: boolean;
}

/**
 * Judges every target by a scan of our own; what the program claims about a drive only ever
 * refuses, never allows.
 * @param wholeDevice see DevicePlatform
 * @returns the drives by card, and all reasons why the job is refused
 */
export async function approveTargets(
  request: ApprovalRequest,
  drives: readonly Drive[],
  wholeDevice: (path: string) => Promise<string>,
): Promise<{ approved: Map<string, Drive>; refusals: Failure[] }> {
  const approved = new Map<string, Drive>();
  const refusals: Failure[] = [];
  for (const { cardId, path, identity, accepted } of request.targets) {
    try {
      const real = await wholeDevice(path);
      const drive = drives.find((seen) => seen.path === real);
      if (!drive) throw fail('drive-not-found', { drive: path });
      if (approved.has(cardId) || [...approved.values()].includes(drive)) {
        throw fail('drive-chosen-twice', { drive: real });
      }
      const what = identityDifference(identity, identityOf(drive));
      if (what !== null) throw fail('drive-changed', { drive: real, what });
      judge(drive, request, accepted);
      approved.set(cardId, drive);
    } catch (cause) {
      refusals.push(failureOf(cause));
    }
  }
  return { approved, refusals };
}

/** Reading loses nothing: warnings and a write-protect switch are no reason against it. */
function judge(drive: Drive, request: ApprovalRequest, accepted: readonly string[]): void {
  const { refusals, warnings } = classifyDrive(drive, request);
  const against = refusals.filter(({ code }) => request.forWriting || code !== 'read-only');
  const codes = (given: readonly { code: string }[]): string =>
    [...new Set(given.map(({ code }) => code))].join(', ');
  if (against.length > 0) {
    throw fail('drive-refused', { drive: drive.path, reasons: codes(against) });
  }
  const unseen = warnings.filter(({ code }) => !accepted.includes(code));
  if (request.forWriting && unseen.length > 0) {
    throw fail('drive-warned', { drive: drive.path, reasons: codes(unseen) });
  }
}
