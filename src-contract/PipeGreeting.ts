/**
 * How a supervisor that Windows elevated finds the program that asked for it: over a named pipe
 * that the program serves. The supervisor's command line, which others may read, names the pipe and
 * a public key that is made for this one start. The supervisor speaks first, random bytes as a
 * challenge; the program answers with the Ed25519 signature (RFC 8032) over `context` and the
 * challenge. Only then are requests sent and taken.
 */
export const PIPE_GREETING = {
  /** A pipe of this machine, never one behind a network share. */
  name: /^\\\\\.\\pipe\\boxwright-[0-9a-f]{32}$/,
  context: 'boxwright writer pipe 1\n',
  challengeBytes: 32,
  proofBytes: 64,
} as const;
