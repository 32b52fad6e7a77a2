/** Files of the running program that must not lie on a drive that is flashed. Absolute paths. */
export interface ScanOptions {
  /** The program's own files and folders: its bundle, its Node binary. */
  readonly program: readonly string[];
  /** What is to be written is read from these: the image and its block map. */
  readonly image: readonly string[];
  /** The folder of downloaded images, which need not exist yet; null where there is none. */
  readonly cache: string | null;
}
