import type { Guest } from '../support/guest/Guest.ts';
import type { TestImage } from '../support/guest/TestImage.ts';

/** What every case has: the machine, and images on its program disk under /program/images. */
export interface Station {
  readonly guest: Guest;
  /** A few MiB, compressed. */
  readonly small: TestImage;
  /** Large enough to be in the middle of it for some time. */
  readonly large: TestImage;
}
