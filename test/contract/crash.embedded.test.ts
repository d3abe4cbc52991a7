import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openDatabase } from '#shared/adapters/embedded/database.ts';
import { createChunkStore } from '#shared/adapters/embedded/sqlite-chunk-store.ts';
import { createQueues } from '#shared/adapters/embedded/sqlite-queues.ts';
import { createStateStore } from '#shared/adapters/embedded/sqlite-state-store.ts';
import { createSystemClock } from '#shared/adapters/embedded/system-clock.ts';
import { temporaryFolder } from '#test/kit/temp.ts';

const script = join(import.meta.dirname, 'crash-writer.ts');

interface Facts {
  rows: string[];
  chunks: string[];
  tickets: number[];
  sent: string[];
  settling: Set<string>;
}

it('loses nothing acknowledged when the process is killed at any moment (INV-01)', { timeout: 120_000 }, async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'hawser.db');
  const facts: Facts = { rows: [], chunks: [], tickets: [], sent: [], settling: new Set() };

  for (let round = 0; round < 12; round += 1) {
    await writeAndKill(path, round, Math.floor(Math.random() * 400), facts);
    await expectAllThere(path, facts);
  }

  expect(facts.rows.length).toBeGreaterThan(0);
  expect(facts.sent.length).toBeGreaterThan(0);
});

/** Lets the writer run until it said so much, then kills it, and adds what it had acknowledged. */
async function writeAndKill(path: string, round: number, lines: number, facts: Facts): Promise<void> {
  const child = spawn(process.execPath, [script, path, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.split('\n').length > lines) child.kill('SIGKILL');
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  expect([code, signal]).toEqual([null, 'SIGKILL']);

  // What follows the last line break was cut off by the kill.
  for (const line of output.slice(0, output.lastIndexOf('\n')).split('\n').filter(Boolean)) {
    const fact = JSON.parse(line) as {
      row?: string;
      chunk?: string;
      ticket?: number;
      sent?: string;
      settling?: string;
    };
    if (fact.row !== undefined) facts.rows.push(fact.row);
    if (fact.chunk !== undefined) facts.chunks.push(fact.chunk);
    if (fact.ticket !== undefined) facts.tickets.push(fact.ticket);
    if (fact.sent !== undefined) facts.sent.push(fact.sent);
    if (fact.settling !== undefined) facts.settling.add(fact.settling);
  }
}

async function expectAllThere(path: string, facts: Facts): Promise<void> {
  const clock = createSystemClock();
  const database = openDatabase({ path, clock });
  try {
    const store = createStateStore(database);
    const rows = await store.getMany<{ id: string }>(facts.rows.map((sort) => ({ partition: 'rows', sort })));
    expect(rows.filter((row) => row.value.id === row.sort)).toHaveLength(facts.rows.length);
    expect((await createChunkStore(database).has('chunks', facts.chunks)).size).toBe(facts.chunks.length);
    // INV-05 across restarts: no number twice, and the counter is past all that were given.
    expect(new Set(facts.tickets).size).toBe(facts.tickets.length);
    expect((await store.get('counters', 'TICKET'))?.revision ?? 0).toBeGreaterThanOrEqual(
      Math.max(0, ...facts.tickets),
    );

    const queue = createQueues(database, clock).open({ name: 'crash', visibilitySeconds: 3600, maxReceives: 1000 });
    const there = new Set<string>();
    for (;;) {
      // Also what the dead process had received comes at once.
      const batch = await queue.receive({ max: 100, waitSeconds: 0, visibilitySeconds: 3600 });
      if (batch.length === 0) break;
      for (const delivery of batch) there.add((JSON.parse(delivery.body) as { id: string }).id);
    }
    const lost = facts.sent.filter((id) => !there.has(id) && !facts.settling.has(id));
    expect(lost).toEqual([]);
  } finally {
    await database.close();
  }
}
