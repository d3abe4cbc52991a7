import { z } from 'zod';

/** What people ask the HTTP API to change, and what it answers. */

export const SyncBody = z
  .object({
    prune: z.boolean().optional(),
    force: z.boolean().optional(),
    dryRun: z.boolean().optional(),
    resources: z.array(z.string()).max(500).optional(),
  })
  .meta({ ref: 'SyncRequest' });
export const RollbackBody = z.object({ generation: z.number().int().positive() }).meta({ ref: 'RollbackRequest' });
export const ConfirmBody = z.object({ listDigest: z.string().min(64).max(64) }).meta({ ref: 'ConfirmRequest' });
/** What every change answers: the generation that will carry it (watch the application until it is reported). */
export const Accepted = z
  .object({
    application: z.string(),
    generation: z.number().optional(),
    /** Of a refresh: Git has been read since, and what lies in it is published, once `plannedTicket` is above this. */
    ticket: z.number().optional(),
  })
  .meta({ ref: 'Accepted' });
export type Accepted = z.infer<typeof Accepted>;

export const ApplyBody = z
  .object({
    objects: z.array(z.record(z.string(), z.unknown())).min(1).max(5000),
    /** The cluster that `in-cluster` and Flux objects mean; the organisation's default when absent. */
    cluster: z.string().optional(),
    dryRun: z.boolean().optional(),
  })
  .meta({ ref: 'ApplyRequest' });
export const ApplyResult = z
  .object({
    items: z.array(
      z.object({
        kind: z.string(),
        namespace: z.string(),
        name: z.string(),
        action: z.enum(['created', 'configured', 'unchanged', 'refused']),
        application: z.string().optional(),
        /** Why it was refused, or a warning about fields that have no effect yet. */
        message: z.string().optional(),
      }),
    ),
  })
  .meta({ ref: 'ApplyResult' });
export type ApplyResult = z.infer<typeof ApplyResult>;
