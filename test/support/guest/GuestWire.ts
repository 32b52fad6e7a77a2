import { z } from 'zod';

const id = z.number().int();

/** Host to guest. */
export const guestRequestSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('start'),
    id,
    argv: z.array(z.string()).min(1),
    /** Run as the unprivileged account `technician` instead of root. */
    technician: z.boolean(),
    /** Text for its standard input, which is closed after it. */
    input: z.string(),
  }),
  z.strictObject({
    type: z.literal('kill'),
    id,
    signal: z.enum(['SIGINT', 'SIGTERM', 'SIGKILL']),
  }),
]);
export type GuestRequest = z.infer<typeof guestRequestSchema>;

/** Guest to host. */
export const guestReportSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready') }),
  z.strictObject({
    type: z.literal('output'),
    id,
    stream: z.enum(['stdout', 'stderr']),
    text: z.string(),
  }),
  z.strictObject({
    type: z.literal('ended'),
    id,
    code: z.number().int().nullable(),
    signal: z.string().nullable(),
  }),
]);
export type GuestReport = z.infer<typeof guestReportSchema>;
