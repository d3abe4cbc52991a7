import { createChunkStore } from '#shared/adapters/aws/dynamodb-chunk-store.ts';
import { createQueue } from '#shared/adapters/aws/create-queue.ts';
import { createTable } from '#shared/adapters/aws/create-table.ts';
import { createQueues } from '#shared/adapters/aws/sqs-queues.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { describeQueue } from '#test/contract/queue.contract.ts';
import { describeOnAws, dynamodbAt, sqsAt } from './aws-emulators.ts';

const clock = createSystemClock();
/** LocalStack looks once a second, and later on a busy machine, for what is visible again. */
const lateMs = 1500;

await describeOnAws('SQS', ['dynamodb', 'localstack'], (aws) => {
  const open = async () => {
    const endpoints = await aws.endpoints();
    const [table, client] = [dynamodbAt(endpoints.dynamodb), sqsAt(endpoints.localstack)];
    await createTable(table, 'bodies');
    const chunks = createChunkStore({ client: table, table: 'bodies', clock, expireAfterSeconds: 15 * 86_400 });
    return {
      queues: createQueues({ client, clock, chunks, urls: (settings) => createQueue(client, settings) }),
      timing: {
        visibilitySeconds: 5,
        waitSeconds: 2,
        runs: 3,
        runsAtOnce: 3,
        pass: (seconds: number) => clock.sleep(seconds * 1000 + lateMs),
      },
      async close() {
        client.destroy();
        table.destroy();
      },
    };
  };
  // Nearly all of it is waiting for what is hidden to show again.
  describeQueue('SQS', open, { concurrent: true });
});
