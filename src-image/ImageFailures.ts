import { fail, type FailureError } from '../src-core/Failure.ts';
import type { ImageFormat } from '../src-core/FlashEvent.ts';
import type { ImageFile } from './ImageSource.ts';

/** The failures of a format's parser and decoder; `detail` and `offset` say where or what. */
export interface ImageFailures {
  readonly truncated: (file: ImageFile) => FailureError;
  readonly trailingGarbage: (file: ImageFile, offset: number) => FailureError;
  readonly corrupt: (file: ImageFile, detail: string) => FailureError;
  readonly unsupported: (file: ImageFile, detail: string) => FailureError;
}

export function imageFailures(format: ImageFormat): ImageFailures {
  return {
    truncated: ({ path }) => fail('image-truncated', { path, format }),
    trailingGarbage: ({ path }, offset) => fail('image-trailing-garbage', { path, format, offset }),
    corrupt: ({ path }, detail) => fail('image-corrupt', { path, format, detail }),
    unsupported: ({ path }, detail) => fail('image-unsupported', { path, format, detail }),
  };
}
