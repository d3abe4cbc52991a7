import type { PruneInput } from '../prune-plan.ts';

/** A condition on the whole round: while it does not hold, nothing is concluded from absence. */
export interface RoundGuard {
  guard: string;
  name: string;
  /** The reason to do nothing at all, or undefined. */
  blocks(input: PruneInput): string | undefined;
}

/** G-01, G-12, INV-20, INV-21: positive evidence, and no error anywhere in sight. */
export const roundGuards: readonly RoundGuard[] = [
  {
    guard: 'G-01',
    name: 'verified',
    blocks: ({ root }) => (root.verified ? undefined : 'the snapshot has not been verified'),
  },
  {
    guard: 'G-01',
    name: 'complete',
    blocks: ({ root }) => (root.complete ? undefined : 'the snapshot is not complete'),
  },
  {
    guard: 'G-01',
    name: 'newest',
    blocks: ({ root }) =>
      root.generation === root.newestGeneration
        ? undefined
        : `generation ${root.newestGeneration} is known, this is ${root.generation}`,
  },
  {
    guard: 'G-01',
    name: 'applied',
    blocks: ({ root }) =>
      root.appliedGeneration === root.generation
        ? undefined
        : `not every object of generation ${root.generation} has been applied`,
  },
  {
    guard: 'G-01',
    name: 'count',
    blocks: ({ root, desired }) =>
      desired.length === root.objectCount
        ? undefined
        : `the snapshot says ${root.objectCount} objects, ${desired.length} are known`,
  },
  {
    guard: 'G-12',
    name: 'errors',
    blocks: ({ roundErrors }) =>
      roundErrors.length === 0 ? undefined : `there were errors in this round: ${roundErrors.slice(0, 3).join('; ')}`,
  },
  {
    guard: 'suspended',
    name: 'suspended',
    blocks: ({ policy }) => (policy.suspended ? 'the application is suspended' : undefined),
  },
];
