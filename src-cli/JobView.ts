import type { FlashJob, JobEvent } from '../src-core/FlashJob.ts';

/** Shows a job while it runs. */
export interface JobView {
  /** After every step of the job. */
  update(job: FlashJob, event: JobEvent): void;
  /** Nothing more comes; the view leaves a clean line behind. */
  close(): void;
}
