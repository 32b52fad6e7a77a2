import { z } from 'zod';
import { diskFaultSchema } from './DiskFault.ts';

/** What a test tells the process that plays a disk. */
export const diskCommandSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('inject'), number: z.number(), fault: diskFaultSchema }),
  z.strictObject({ type: z.literal('heal'), number: z.number() }),
  z.strictObject({ type: z.literal('close') }),
]);
export type DiskCommand = z.infer<typeof diskCommandSchema>;

/** What that process tells the test. */
export const diskReportSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), device: z.string() }),
  /** The command of that number is in force. */
  z.strictObject({ type: z.literal('done'), number: z.number() }),
  /** A fault had its first effect, at that time (milliseconds since the epoch). */
  z.strictObject({
    type: z.literal('struck'),
    kind: z.enum(diskFaultSchema.options.map((option) => option.shape.kind.value)),
    at: z.number(),
  }),
]);
export type DiskReport = z.infer<typeof diskReportSchema>;
