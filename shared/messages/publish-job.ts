import { z } from 'zod';
import { PublishIntent } from './render-job.ts';

const SyncRequest = z.object({
  id: z.string(),
  by: z.string(),
  at: z.string(),
  prune: z.boolean().optional(),
  force: z.boolean().optional(),
  dryRun: z.boolean().optional(),
  resources: z.array(z.string()).optional(),
  confirmedPrunes: z.object({ listDigest: z.string(), until: z.string() }).optional(),
});

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
    /** A plan found the inputs as they are published: whatever an earlier plan complained of is over. */
    z.object({ status: z.literal('unchanged') }),
    /** The head's certificate has ended before an agent could take it in: sign the same root again. */
    z.object({ status: z.literal('renew') }),
    /** No render: publish again what is desired now, or what an older generation held, with another policy or request. */
    z.object({
      status: z.literal('repeat'),
      /** The generation to bring back; the current one when absent. */
      of: z.number().int().positive().optional(),
      sync: SyncRequest.optional(),
      deletion: z
        .object({
          cascade: z.enum(['foreground', 'background', 'orphan']),
          by: z.string(),
          at: z.string(),
          until: z.string(),
        })
        .optional(),
    }),
  ]),
  trace: z.string(),
  at: z.string(),
});
export type PublishJob = z.infer<typeof PublishJob>;
