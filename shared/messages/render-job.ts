import { z } from 'zod';

/** Render this bundle; the bundle itself lies in the chunk store, so that queues carry ids only (NT-95). */
export const RenderJob = z.object({
  organisation: z.string(),
  application: z.string(),
  generation: z.number().int().positive(),
  inputDigest: z.string(),
  /** Digest of the packed bundles in the chunk store, under the organisation's input partition. */
  bundle: z.string(),
  publish: z.lazy(() => PublishIntent),
  trace: z.string(),
  at: z.string(),
});
export type RenderJob = z.infer<typeof RenderJob>;

/** What publishing needs to know that the renderer must not: it travels around the renderer, not through it (INV-09). */
export const PublishIntent = z.object({
  revision: z.string(),
  commit: z
    .object({ sha: z.string(), author: z.string(), email: z.string(), message: z.string(), time: z.string() })
    .optional(),
  dependsOn: z.array(z.object({ application: z.string(), generation: z.number().int() })),
  initiatedBy: z.string(),
  /** Applications of the same plan depend on this one, and wait for just this generation. */
  awaited: z.boolean().optional(),
  /** Hash over what decides the render alone: key of the render cache. */
  renderDigest: z.string(),
  /** Revision of the application's SPEC row that was planned: another one has to be planned anew. */
  specRevision: z.number().int().optional(),
});
export type PublishIntent = z.infer<typeof PublishIntent>;
