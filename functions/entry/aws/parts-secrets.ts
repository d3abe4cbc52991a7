import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createSecretStore } from '#shared/adapters/aws/secrets-manager-secret-store.ts';
import type { SecretStore } from '#shared/ports/secret-store.ts';
import type { Core } from './core.ts';

/** Secrets in Secrets Manager, all under the deployment's prefix. */
export function openSecrets({ settings, clock }: Core<'secretPrefix'>): SecretStore {
  const client = new SecretsManagerClient(clientSettings());
  return createSecretStore({ client, clock, prefix: settings.secretPrefix });
}
