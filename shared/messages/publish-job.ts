import { z } from 'zod';
import { PublishIntent } from './render-job.ts';

/** A render ended: publish its objects, or show why there are none. */
export const PublishJob = z.object({
  organisation: z.string(),
  application: z.string(),
  generation: z.number().int().positive(),
  inputDigest: z.string(),
  intent: PublishIntent,
  result: z.discriminatedUnion('status', [
    z.object({ status: z.literal('rendered'), output: z.string(), warnings: z.array(z.string()) }),
    z.object({ status: z.literal('failed'), code: z.string(), message: z.string() }),
  ]),
  trace: z.string(),
  at: z.string(),
});
export type PublishJob = z.infer<typeof PublishJob>;
