import { createPrivateKey } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { beginLasting, ticketsBefore } from '#localstack/aws/lasting.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

describe('what outlives the emulators', () => {
  it('is one root key, and tickets above those of every earlier start (INV-06)', async () => {
    await using folder = await temporaryFolder();
    const starts = [beginLasting(folder.path), beginLasting(folder.path), beginLasting(folder.path)];

    expect(new Set(starts.map(({ rootKey }) => rootKey)).size).toBe(1);
    expect(starts.map(ticketsBefore)).toEqual([0, 1_000_000, 2_000_000]);
  });

  it('is an Ed25519 key of each data folder, which only its owner reads', async () => {
    await using one = await temporaryFolder();
    await using other = await temporaryFolder();
    const { rootKey } = beginLasting(one.path);
    const key = createPrivateKey({ key: Buffer.from(rootKey, 'base64'), format: 'der', type: 'pkcs8' });

    expect(key.asymmetricKeyType).toBe('ed25519');
    expect(beginLasting(other.path).rootKey).not.toBe(rootKey);
    expect(statSync(join(one.path, 'lasting.json')).mode & 0o777).toBe(0o600);
  });
});
