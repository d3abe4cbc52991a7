import { GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSqsBell } from '#shared/adapters/aws/sqs-bell.ts';
import { createWakeQueues, type WakeQueues } from '#shared/adapters/aws/wake-queues.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { wakeQueueName } from '#shared/domain/wake-queue.ts';
import { createQueueMailbox } from '#functions/entry/aws/mailbox.ts';
import { silentLog } from '#test/kit/service-parts.ts';
import { describeOnAws, sqsAt } from './aws-emulators.ts';

await describeOnAws('wake queues', ['localstack'], (aws) => {
  let client: SQSClient;
  let queues: WakeQueues;
  let queueBase: string;
  beforeAll(async () => {
    const { localstack } = await aws.endpoints();
    client = sqsAt(localstack);
    queueBase = `${localstack}/000000000000/hawser-test-`;
    queues = createWakeQueues({ client, clock: createSystemClock(), queueBase });
  });
  afterAll(() => client.destroy());

  it('are made once, however often it is asked for, with what makes them forget', async () => {
    await queues.create('acme', 'home');
    await queues.create('acme', 'home');

    const { Attributes: attributes } = await client.send(
      new GetQueueAttributesCommand({
        QueueUrl: `${queueBase}${wakeQueueName('acme', 'home')}`,
        AttributeNames: ['MessageRetentionPeriod', 'VisibilityTimeout', 'RedrivePolicy'],
      }),
    );
    expect(attributes).toEqual({ MessageRetentionPeriod: '300', VisibilityTimeout: '30' });
  });

  it('carry what the bell rings to the agent of that cluster alone', async () => {
    await queues.create('acme', 'one');
    await queues.create('acme', 'two');
    const bell = createSqsBell({ wakeQueues: queues, log: silentLog });

    bell.ring('cluster:acme/one', '{"type":"wake","version":3}');
    bell.ring('organisation:acme', 'web');
    await bell.flush();

    expect(await queues.receive('acme', 'one', 10)).toEqual(['{"type":"wake","version":3}']);
    expect(await queues.receive('acme', 'one', 10)).toEqual([]);
    expect(await queues.receive('acme', 'two', 10)).toEqual([]);
  });

  it('hold the commands of the mailbox until they are taken, once', async () => {
    await queues.create('acme', 'mail');
    const mailbox = createQueueMailbox(queues, silentLog);
    const questions = Array.from({ length: 13 }, (_, index) => `q-${index}`);

    for (const question of questions)
      await mailbox.post('acme', 'mail', { type: 'tree', application: 'web', question });
    await queues.send('acme', 'mail', '{"type":"wake","version":1}');
    await queues.send('acme', 'mail', 'no command');

    const taken = await mailbox.take('acme', 'mail');
    expect(taken.map((command) => (command.type === 'tree' ? command.question : '')).toSorted()).toEqual(
      questions.toSorted(),
    );
    expect(await mailbox.take('acme', 'mail')).toEqual([]);
  });

  it('may be missing: what is sent is lost, and nobody fails', async () => {
    await queues.send('acme', 'nowhere', '{}');
    expect(await queues.receive('acme', 'nowhere', 10)).toEqual([]);
    await queues.remove('acme', 'nowhere');
  });

  it('are gone with their cluster, with all that lay in them', async () => {
    await queues.create('acme', 'leaving');
    await queues.send('acme', 'leaving', '{}');
    await queues.remove('acme', 'leaving');

    expect(await queues.receive('acme', 'leaving', 10)).toEqual([]);
  });

  it('say what is wrong where SQS does not answer', async () => {
    const away = createWakeQueues({
      client: sqsAt('http://127.0.0.1:9'),
      clock: createSystemClock(),
      queueBase: 'http://127.0.0.1:9/0/hawser-test-',
    });
    await expect(away.create('acme', 'home')).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
    await expect(away.send('acme', 'home', '{}')).rejects.toMatchObject({ code: 'unavailable', retry: 'later' });
  });
});
