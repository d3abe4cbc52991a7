import type { Clock } from '../ports/clock.ts';
import type { SecretStore } from '../ports/secret-store.ts';
import { previousWebhookSecretName, webhookSecretName } from './registry.ts';

interface Deps {
  secrets: SecretStore;
  clock: Clock;
}

/** What the secret of the previous name holds, as JSON text. */
interface Previous {
  secret: string;
  /** Milliseconds since 1970; refused from then on. */
  until: number;
}

const defaultOverlapHours = 24;

/** The secrets under which a delivery is taken: the current one, and the one before while it is being rotated (FT-07). */
export async function readWebhookSecrets(deps: Deps, organisation: string, repository: string): Promise<string[]> {
  const [current, previous] = await Promise.all([
    deps.secrets.get(webhookSecretName(organisation, repository)),
    deps.secrets.get(previousWebhookSecretName(organisation, repository)),
  ]);
  const before = previous === undefined ? undefined : (JSON.parse(previous.value) as Previous);
  return [
    ...(current === undefined ? [] : [current.value]),
    ...(before !== undefined && before.until > deps.clock.now() ? [before.secret] : []),
  ];
}

/**
 * Puts another secret; the one that was current stays valid for `overlapHours` (24), so that nobody has to change the Git
 * host in the same moment. 0: it is refused at once (within the minute that functions keep secrets for). Whoever dies in
 * between has both names hold the old one. Asked again for what is current already, it leaves the one before as it is.
 */
export async function rotateWebhookSecret(
  deps: Deps,
  organisation: string,
  repository: string,
  { webhookSecret, overlapHours = defaultOverlapHours }: { webhookSecret: string; overlapHours?: number },
): Promise<{ webhookSecret: string; previousUntil: string }> {
  const name = webhookSecretName(organisation, repository);
  const previousName = previousWebhookSecretName(organisation, repository);
  const current = await deps.secrets.get(name);
  const until = deps.clock.now() + overlapHours * 3600_000;
  const previousUntil = new Date(until).toISOString();
  if (overlapHours === 0) await deps.secrets.remove(previousName);
  else if (current !== undefined && current.value !== webhookSecret) {
    const previous: Previous = { secret: current.value, until };
    await deps.secrets.put(previousName, JSON.stringify(previous));
  }
  if (current?.value !== webhookSecret) await deps.secrets.put(name, webhookSecret);
  return { webhookSecret, previousUntil };
}
