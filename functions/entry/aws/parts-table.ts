import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createChunkStore } from '#shared/adapters/aws/dynamodb-chunk-store.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import type { Core } from './core.ts';

/** Longer than a queue keeps messages (14 days). */
const bodySeconds = 15 * 86_400;

/** The one table: rows, chunks, and message bodies that do not fit into a message. */
export function openTable({ settings, clock }: Core<'table'>) {
  const client = new DynamoDBClient(clientSettings());
  const deps = { client, table: settings.table, clock };
  return {
    /** The keys that this function works with, kept and renewed by the SDK. */
    credentials: () => client.config.credentials(),
    store: createStateStore(deps),
    chunkStore: createChunkStore(deps),
    bodies: createChunkStore({ ...deps, expireAfterSeconds: bodySeconds }),
  };
}
