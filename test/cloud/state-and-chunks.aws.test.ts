import { createChunkStore } from '#shared/adapters/aws/dynamodb-chunk-store.ts';
import { createStateStore } from '#shared/adapters/aws/dynamodb-state-store.ts';
import { createTable } from '#shared/adapters/aws/create-table.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { describeChunkStore } from '#test/contract/chunk-store.contract.ts';
import { describeStateStore } from '#test/contract/state-store.contract.ts';
import { describeOnAws, dynamodbAt } from './aws-emulators.ts';

const clock = createSystemClock();

await describeOnAws('DynamoDB', ['dynamodb'], (aws) => {
  async function open(table: string) {
    const client = dynamodbAt((await aws.endpoints()).dynamodb);
    await createTable(client, table);
    return { deps: { client, table, clock }, close: async () => client.destroy() };
  }

  describeStateStore(
    'DynamoDB',
    async () => {
      const { deps, close } = await open('state');
      return { store: createStateStore(deps), close };
    },
    { runs: 20 },
  );

  describeChunkStore('DynamoDB', async () => {
    const { deps, close } = await open('chunks');
    return { store: createChunkStore(deps), close };
  });

  describeChunkStore(
    'DynamoDB, with a term',
    async () => {
      const { deps, close } = await open('chunks-with-a-term');
      return { store: createChunkStore({ ...deps, expireAfterSeconds: 3600 }), close };
    },
    { largest: 2 * 1024 * 1024 },
  );
});
