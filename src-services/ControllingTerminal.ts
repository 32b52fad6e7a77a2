import { closeSync, constants, openSync } from 'node:fs';

/** Whether this session has a terminal, whatever standard input and output are. */
export function hasControllingTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}
