import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { HawserError } from '../../errors.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import { requireKey } from './file-cipher.ts';
import { readOrCreatePrivateFile, readPrivateFile, writePrivateFile } from './private-file.ts';
import { seal, unseal } from '../../domain/sealing.ts';

interface Secrets {
  /** Rises with every put; never used twice, so that a version names one value of one secret for good. */
  counter: number;
  values: Record<string, { value: string; version: string }>;
}

const context = 'hawser-secrets-v1';

/**
 * All secrets in `dir/secrets.enc`, sealed with the key in `dir/secrets.key` (0600, made at first use), replaced at once on
 * every change. One process writes; see `lockDataFolder`. Throws `internal` where file and key do not belong together.
 */
export function createFileSecretStore({ dir }: { dir: string }): SecretStore {
  const file = join(dir, 'secrets.enc');
  let loaded: Promise<{ key: Uint8Array; secrets: Secrets }> | undefined;
  let lastChange: Promise<unknown> = Promise.resolve();

  return {
    async get(name) {
      const found = (await load()).secrets.values[name];
      return found === undefined ? undefined : { ...found };
    },

    put(name, value) {
      return change((secrets) => {
        if (secrets.values[name]?.value === value) return undefined;
        const counter = secrets.counter + 1;
        return { counter, values: withEntry(secrets.values, name, { value, version: String(counter) }) };
      });
    },

    remove(name) {
      return change((secrets) => {
        if (secrets.values[name] === undefined) return undefined;
        const { [name]: _removed, ...values } = secrets.values;
        return { counter: secrets.counter, values: withEntry(values) };
      });
    },
  };

  function load(): Promise<{ key: Uint8Array; secrets: Secrets }> {
    if (loaded === undefined) {
      loaded = loadSecrets(dir, file);
      // A failure is not remembered: the disk may come back.
      loaded.catch(() => (loaded = undefined));
    }
    return loaded;
  }

  /** Changes happen one after the other; readers see a change once it is durable. */
  function change(apply: (secrets: Secrets) => Secrets | undefined): Promise<void> {
    const next = lastChange.then(() => changeNow(apply));
    lastChange = next.catch(() => undefined);
    return next;
  }

  async function changeNow(apply: (secrets: Secrets) => Secrets | undefined): Promise<void> {
    const { key, secrets } = await load();
    const changed = apply(secrets);
    if (changed === undefined) return;
    await writePrivateFile(file, seal(key, context, Buffer.from(JSON.stringify(changed))));
    loaded = Promise.resolve({ key, secrets: changed });
  }
}

async function loadSecrets(dir: string, file: string): Promise<{ key: Uint8Array; secrets: Secrets }> {
  const keyFile = join(dir, 'secrets.key');
  const sealed = await readPrivateFile(file);
  const key = await readOrCreatePrivateFile(keyFile, () => randomBytes(32));
  requireKey(key, keyFile);
  if (sealed === undefined) return { key, secrets: { counter: 0, values: withEntry({}) } };
  const plain = unseal(key, context, sealed);
  if (plain === undefined) {
    throw new HawserError('internal', `secrets in ${file} cannot be opened with ${keyFile}`, {
      hint: 'Restore both files from the same backup, or move both away and enter the secrets again.',
    });
  }
  const { counter, values } = JSON.parse(Buffer.from(plain).toString()) as Secrets;
  return { key, secrets: { counter, values: withEntry(values) } };
}

/** A copy without prototype, so that a secret named `constructor` is a secret. */
function withEntry(
  values: Secrets['values'],
  name?: string,
  entry?: { value: string; version: string },
): Secrets['values'] {
  const copy: Secrets['values'] = Object.assign(Object.create(null), values);
  if (name !== undefined && entry !== undefined) copy[name] = entry;
  return copy;
}
