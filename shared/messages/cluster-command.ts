import { z } from 'zod';

/**
 * What the service says to an agent between polls. Losing any of these costs latency or one answer, nothing else:
 * `wake` repeats what HEAD says; `live`, `tree` and `resend` are questions that people's pages ask again.
 */
export const ClusterCommand = z.discriminatedUnion('type', [
  z.object({ type: z.literal('wake'), version: z.number().int() }),
  /** Send the full state of these applications again (all when absent). */
  z.object({ type: z.literal('resend'), applications: z.array(z.string()).optional() }),
  /** Answer with one managed object as it lives (Secrets masked by the agent). */
  z.object({ type: z.literal('live'), question: z.string(), application: z.string(), key: z.string() }),
  /** Answer with the objects that managed objects own (ReplicaSets, Pods…). */
  z.object({ type: z.literal('tree'), question: z.string(), application: z.string() }),
]);
export type ClusterCommand = z.infer<typeof ClusterCommand>;

/** A child in the resource tree, found by owner references. */
export const TreeNode = z.object({
  uid: z.string(),
  group: z.string(),
  version: z.string(),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** Uids of its owners. */
  owners: z.array(z.string()),
  health: z.object({ status: z.string(), message: z.string().optional() }).optional(),
  createdAt: z.string().optional(),
  info: z.string().optional(),
});
export type TreeNode = z.infer<typeof TreeNode>;

export const Answer = z.object({
  question: z.string(),
  /** For `live`: the object, null when it is not in the cluster. */
  live: z.unknown().optional(),
  desired: z.unknown().optional(),
  nodes: z.array(TreeNode).max(5000).optional(),
  /** For `tree`: the uid of each managed object, by key, so that owner references can be followed from them. */
  uids: z.record(z.string(), z.string()).optional(),
  error: z.string().optional(),
});
export type Answer = z.infer<typeof Answer>;
