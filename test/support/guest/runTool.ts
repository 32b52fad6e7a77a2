import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/**
 * Runs a tool of the host to its end and returns what it printed.
 * @throws Error with the end of its error output where it failed
 */
export async function runTool(
  tool: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const options = {
    env: {
      ...process.env,
      ...environment,
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    },
    maxBuffer: 1 << 26,
  };
  return (await promisify(execFile)(tool, argv, options)).stdout;
}
