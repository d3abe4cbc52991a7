import { z } from 'zod';
import { ClusterCommand } from '#shared/messages/cluster-command.ts';

const SignedRoot = z.object({
  root: z.string(),
  signature: z.string(),
  certificate: z.object({
    organisation: z.string(),
    publicKey: z.string(),
    notBefore: z.string(),
    notAfter: z.string(),
    signature: z.string(),
  }),
});

/** The form of what a hub hands out; whether it is true, intake.ts finds out. */
export const Assignment = z.object({ application: z.string(), generation: z.number().int(), root: SignedRoot });

/** A command that this version does not know is no reason to miss the rest (INV-45). */
export function knownCommand(command: unknown): ClusterCommand[] {
  const parsed = ClusterCommand.safeParse(command);
  return parsed.success ? [parsed.data] : [];
}
