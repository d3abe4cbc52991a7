import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createSecretStore } from '#shared/adapters/aws/secrets-manager-secret-store.ts';
import type { SecretStore } from '#shared/ports/secret-store.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { isWebhookSecretName } from '#shared/state/registry.ts';
import { createSealedSecretStore, splitSecretStore } from '#shared/state/sealed-secrets.ts';
import type { Core } from './core.ts';
import { openCipher } from './parts-keys.ts';

/** Credentials, in Secrets Manager, all under the deployment's prefix. */
export function openCredentials({ settings, clock }: Core<'secretPrefix'>): SecretStore {
  const client = new SecretsManagerClient(clientSettings());
  return createSecretStore({ client, clock, prefix: settings.secretPrefix });
}

/** Keys that webhooks are signed with: one per repository, so they lie in the table, sealed (0.40 USD a month each otherwise). */
export function openWebhookSecrets(core: Core<'cipherKey'>, { store }: { store: StateStore }): SecretStore {
  return createSealedSecretStore({ store, cipher: openCipher(core) });
}

/** Both. */
export function openSecrets(core: Core<'secretPrefix' | 'cipherKey'>, table: { store: StateStore }): SecretStore {
  return splitSecretStore(isWebhookSecretName, openWebhookSecrets(core, table), openCredentials(core));
}
