import { TestImage } from '../support/guest/TestImage.ts';

/** On the guest's program disk under /program/images. */
export const images = {
  small: new TestImage('small.img.gz', 12, 1),
  medium: new TestImage('medium.img', 32, 2),
} as const;
