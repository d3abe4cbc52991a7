import { writeSync } from 'node:fs';
import { openDatabase } from '#shared/adapters/embedded/database.ts';
import { createChunkStore } from '#shared/adapters/embedded/sqlite-chunk-store.ts';
import { createQueues } from '#shared/adapters/embedded/sqlite-queues.ts';
import { createStateStore } from '#shared/adapters/embedded/sqlite-state-store.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';

/**
 * Writes rows, chunks, tickets and messages until it is killed and says on standard output what was acknowledged, a line each.
 * Arguments: database file, number of this round.
 */
const [, , path = '', round = '0'] = process.argv;
const clock = createSystemClock();
const database = openDatabase({ path, clock });
const store = createStateStore(database);
const chunks = createChunkStore(database);
const queue = createQueues(database, clock).open({ name: 'crash', visibilitySeconds: 3600, maxReceives: 1000 });

await Promise.all([0, 1, 2, 3].map(writer));

async function writer(number: number): Promise<void> {
  for (let index = 0; ; index += 1) {
    const id = `${round}-${number}-${index}`;
    await store.put({ partition: 'rows', sort: id, revision: index, value: { id, filler: 'x'.repeat(200 * number) } });
    acknowledge({ row: id });
    await chunks.put('chunks', id, Buffer.from(id.repeat(1 + number * 500)));
    acknowledge({ chunk: id });
    acknowledge({ ticket: await store.increment('counters', 'TICKET') });
    await queue.send([JSON.stringify({ id })]);
    acknowledge({ sent: id });
    if (index % 3 !== 0) continue;
    const [delivery] = await queue.receive({ max: 1, waitSeconds: 0, visibilitySeconds: 3600 });
    if (delivery === undefined) continue;
    // Before the call: a crash in between may or may not have taken the message.
    acknowledge({ settling: (JSON.parse(delivery.body) as { id: string }).id });
    await queue.done([delivery]);
  }
}

function acknowledge(fact: Record<string, unknown>): void {
  writeSync(1, `${JSON.stringify(fact)}\n`);
}
