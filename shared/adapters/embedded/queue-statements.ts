import { unansweredReason } from '../../domain/dead-letters.ts';
import type { DeadLetter, Delivery } from '../../ports/queue.ts';
import type { Prepare } from './prepare.ts';

/** Names one delivery of one message: a receipt of an earlier delivery changes nothing. */
export interface Receipt {
  id: number;
  receives: number;
}

/** `hiddenUntil` null: ready at once. */
export function insert(prepare: Prepare, name: string, bodies: readonly string[], hiddenUntil: number | null): void {
  const statement = prepare('INSERT INTO messages (queue, hidden_until, body) VALUES (?, ?, ?)');
  for (const body of bodies) statement.run(name, hiddenUntil, body);
}

/** Gives back what is in flight in any queue. */
export function release(prepare: Prepare, now: number): void {
  // Still marked as in flight: `surface` has to see that this receive was never settled.
  prepare('UPDATE messages SET hidden_until = ? WHERE hidden_until > ? AND in_flight = 1').run(now, now);
}

export function hasVisible(prepare: Prepare, name: string, now: number): boolean {
  const ready = prepare('SELECT 1 FROM messages WHERE queue = ? AND hidden_until IS NULL LIMIT 1').get(name);
  return ready !== undefined || (nextVisibleAt(prepare, name) ?? Infinity) <= now;
}

/** When the next hidden message shows (ms since 1970). */
export function nextVisibleAt(prepare: Prepare, name: string): number | undefined {
  const text =
    'SELECT hidden_until AS at FROM messages WHERE queue = ? AND hidden_until IS NOT NULL ORDER BY hidden_until LIMIT 1';
  const found = prepare(text).get(name);
  return found === undefined ? undefined : Number(found['at']);
}

/** Takes up to `max` ready messages in sending order and hides them until `hiddenUntil`. */
export function receive(
  prepare: Prepare,
  options: { name: string; max: number; maxReceives: number; now: number; hiddenUntil: number },
): Delivery[] {
  surface(prepare, options.name, options.maxReceives, options.now);
  const taken = prepare(
    `UPDATE messages SET hidden_until = ?, in_flight = 1, receives = receives + 1
      WHERE id IN (SELECT id FROM messages WHERE queue = ? AND hidden_until IS NULL ORDER BY id LIMIT ?)
      RETURNING id, receives, body`,
  ).all(options.hiddenUntil, options.name, options.max);
  return taken
    .sort((a, b) => Number(a['id']) - Number(b['id']))
    .map((row) => ({
      id: String(row['id']),
      body: String(row['body']),
      receives: Number(row['receives']),
      receipt: `${Number(row['id'])}:${Number(row['receives'])}`,
    }));
}

/** Makes ready what was hidden long enough; what nobody settled in as many receives as it may have is dead. */
function surface(prepare: Prepare, name: string, maxReceives: number, now: number): void {
  const dead = prepare(
    `DELETE FROM messages WHERE queue = ? AND hidden_until <= ? AND in_flight = 1 AND receives >= ?
      RETURNING receives, reason, body`,
  ).all(name, now, maxReceives);
  for (const row of dead) {
    const earlier = row['reason'] === null ? '' : `; before that: ${String(row['reason'])}`;
    const reason = `${unansweredReason(Number(row['receives']))}${earlier}`;
    insertDead(prepare, name, now, Number(row['receives']), reason, String(row['body']));
  }
  prepare('UPDATE messages SET hidden_until = NULL, in_flight = 0 WHERE queue = ? AND hidden_until <= ?').run(
    name,
    now,
  );
}

/** Whatever the delivery was: the work is done, so nobody needs the message any more. */
export function remove(prepare: Prepare, ids: readonly number[]): void {
  const statement = prepare('DELETE FROM messages WHERE id = ?');
  for (const id of ids) statement.run(id);
}

export function giveBack(prepare: Prepare, receipt: Receipt, hiddenUntil: number | null, reason: string): void {
  prepare(
    'UPDATE messages SET hidden_until = ?, in_flight = 0, reason = ? WHERE id = ? AND receives = ? AND in_flight = 1',
  ).run(hiddenUntil, reason, receipt.id, receipt.receives);
}

export function hide(prepare: Prepare, receipt: Receipt, until: number): void {
  prepare('UPDATE messages SET hidden_until = ? WHERE id = ? AND receives = ? AND in_flight = 1').run(
    until,
    receipt.id,
    receipt.receives,
  );
}

export function bury(prepare: Prepare, receipt: Receipt, reason: string, now: number): void {
  const row = prepare('DELETE FROM messages WHERE id = ? AND receives = ? RETURNING queue, receives, body').get(
    receipt.id,
    receipt.receives,
  );
  if (row === undefined) return;
  insertDead(prepare, String(row['queue']), now, Number(row['receives']), reason, String(row['body']));
}

function insertDead(prepare: Prepare, name: string, now: number, receives: number, reason: string, body: string): void {
  prepare('INSERT INTO dead_letters (queue, died_at, receives, reason, body) VALUES (?, ?, ?, ?, ?)').run(
    name,
    now,
    receives,
    reason,
    body,
  );
}

export function count(
  prepare: Prepare,
  name: string,
  now: number,
): { ready: number; inFlight: number; delayed: number; dead: number } {
  const ready = prepare('SELECT count(*) AS n FROM messages WHERE queue = ? AND hidden_until IS NULL').get(name);
  const hidden = prepare(
    `SELECT coalesce(sum(hidden_until <= :now), 0) AS shown,
        coalesce(sum(hidden_until > :now AND in_flight = 1), 0) AS inFlight,
        coalesce(sum(hidden_until > :now AND in_flight = 0), 0) AS delayed
      FROM messages WHERE queue = :name AND hidden_until IS NOT NULL`,
  ).get({ name, now });
  const dead = prepare('SELECT count(*) AS n FROM dead_letters WHERE queue = ?').get(name);
  return {
    ready: Number(ready?.['n']) + Number(hidden?.['shown']),
    inFlight: Number(hidden?.['inFlight']),
    delayed: Number(hidden?.['delayed']),
    dead: Number(dead?.['n']),
  };
}

/** Newest first. */
export function deadLetters(prepare: Prepare, name: string, limit: number): DeadLetter[] {
  const text = 'SELECT id, body, reason, receives, died_at FROM dead_letters WHERE queue = ? ORDER BY id DESC LIMIT ?';
  return prepare(text)
    .all(name, limit)
    .map((row) => ({
      id: String(row['id']),
      body: String(row['body']),
      reason: String(row['reason']),
      receives: Number(row['receives']),
      diedAt: Number(row['died_at']),
    }));
}

/** They start again as new messages, with no receives counted, in the order in which they died. */
export function redrive(prepare: Prepare, name: string, ids: readonly number[] | undefined): number {
  const all = prepare('DELETE FROM dead_letters WHERE queue = ? RETURNING id, body');
  const one = prepare('DELETE FROM dead_letters WHERE queue = ? AND id = ? RETURNING id, body');
  const dead = ids === undefined ? all.all(name) : ids.flatMap((id) => one.all(name, id));
  const inOrder = dead.sort((a, b) => Number(a['id']) - Number(b['id']));
  insert(
    prepare,
    name,
    inOrder.map((row) => String(row['body'])),
    null,
  );
  return inOrder.length;
}
