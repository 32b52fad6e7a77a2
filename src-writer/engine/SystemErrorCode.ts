/** The code of an error of the system (EIO, ENOSPC ...), or the text of anything else. */
export function systemErrorCode(thrown: unknown): string {
  if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string') {
    return thrown.code;
  }
  return String(thrown);
}
