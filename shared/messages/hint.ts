import { z } from 'zod';

/**
 * «This repository may have moved.» Never says which commit to deploy or which URL to call (NT-04).
 * `applications` asks to plan these too, whatever the repository did: they are new, changed, or somebody asked for a refresh.
 */
export const Hint = z.object({
  organisation: z.string(),
  repository: z.string(),
  reason: z.enum(['push', 'poll', 'declared', 'refresh', 'retry']),
  applications: z.array(z.string()).max(500).optional(),
  /** Correlation id, from webhook to agent. */
  trace: z.string(),
  at: z.string(),
});
export type Hint = z.infer<typeof Hint>;
