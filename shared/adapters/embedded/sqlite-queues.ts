import { HawserError } from '../../errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Delivery, Queue, Queues, QueueSettings } from '../../ports/queue.ts';
import type { Database } from './database.ts';
import * as messages from './queue-statements.ts';
import { createWakeUps, type WakeUps } from './wake-ups.ts';

interface Backend {
  database: Database;
  clock: Clock;
  wakeUps: WakeUps;
  /** What an earlier process left in flight has been given back. */
  released: Promise<void>;
}

type ReceiveOptions = Parameters<Queue['receive']>[0];

/** What every backend carries; where one holds less, its adapter passes larger bodies by reference. */
const maxBodyBytes = 256 * 1024;

/**
 * Queues in the database file. A `send` wakes who waits in `receive` at once; nothing polls.
 * Call it once per process: what an earlier process had received and not settled is ready again from the start,
 * with its count of receives kept, so that a message that kills the process still ends as a dead letter (NT-03).
 * `send`, `retry`, `bury` and `redrive` wait for the disk; `receive`, `extend` and `done` do not: after a loss of power
 * a message may come again, which at-least-once allows.
 */
export function createQueues(database: Database, clock: Clock): Queues {
  const wakeUps = createWakeUps();
  const released = database
    .write((prepare) => messages.release(prepare, clock.now()), { durable: false })
    // A full disk: the messages come when their visibility ends.
    .catch(() => undefined);
  return { open: (settings) => openQueue({ database, clock, wakeUps, released }, settings) };
}

function openQueue(backend: Backend, settings: QueueSettings): Queue {
  const { database, clock, wakeUps } = backend;
  const { name } = settings;
  return {
    name,

    async send(bodies, options = {}) {
      for (const body of bodies) requireSize(name, body);
      const hiddenUntil = untilOf(clock, options.delaySeconds ?? 0);
      await database.write((prepare) => messages.insert(prepare, name, bodies, hiddenUntil));
      wakeUps.wake(name);
    },

    receive: (options) => receive(backend, settings, options),

    async done(deliveries) {
      if (deliveries.length === 0) return;
      const ids = deliveries.map((delivery) => receiptOf(delivery).id);
      await database.write((prepare) => messages.remove(prepare, ids), { durable: false });
    },

    async retry(delivery, { delaySeconds, reason }) {
      const receipt = receiptOf(delivery);
      const hiddenUntil = untilOf(clock, delaySeconds);
      const dead = receipt.receives >= settings.maxReceives;
      await database.write((prepare) =>
        dead
          ? messages.bury(prepare, receipt, reason, clock.now())
          : messages.giveBack(prepare, receipt, hiddenUntil, reason),
      );
      wakeUps.wake(name);
    },

    async bury(delivery, reason) {
      await database.write((prepare) => messages.bury(prepare, receiptOf(delivery), reason, clock.now()));
    },

    async extend(delivery, visibilitySeconds) {
      const until = clock.now() + visibilitySeconds * 1000;
      await database.write((prepare) => messages.hide(prepare, receiptOf(delivery), until), { durable: false });
      wakeUps.wake(name);
    },

    counts: async () => database.read((prepare) => messages.count(prepare, name, clock.now())),
    deadLetters: async (limit) => database.read((prepare) => messages.deadLetters(prepare, name, limit)),

    async redrive(ids) {
      const sent = await database.write((prepare) => messages.redrive(prepare, name, ids?.map(Number)));
      wakeUps.wake(name);
      return sent;
    },
  };
}

async function receive(backend: Backend, settings: QueueSettings, options: ReceiveOptions): Promise<Delivery[]> {
  const { database, clock, wakeUps } = backend;
  const { name } = settings;
  if (options.max <= 0) return [];
  await backend.released;
  const until = clock.monotonic() + options.waitSeconds * 1000;
  while (options.signal?.aborted !== true) {
    // Listens before it looks, so that no send falls in between.
    const bell = wakeUps.listen(name, options.signal);
    try {
      const taken = await take(backend, settings, options);
      const left = until - clock.monotonic();
      if (taken.length > 0 || left <= 0) return taken;
      const next = database.read((prepare) => messages.nextVisibleAt(prepare, name)) ?? Infinity;
      await clock.sleep(Math.max(0, Math.min(left, next - clock.now())), bell.signal);
    } finally {
      bell.close();
    }
  }
  return [];
}

/** A look first, because a transaction for nothing is what an idle queue would do all day. */
async function take(
  { database, clock }: Backend,
  settings: QueueSettings,
  options: ReceiveOptions,
): Promise<Delivery[]> {
  const { name, maxReceives } = settings;
  if (!database.read((prepare) => messages.hasVisible(prepare, name, clock.now()))) return [];
  return database.write(
    (prepare) => {
      const now = clock.now();
      const hiddenUntil = now + options.visibilitySeconds * 1000;
      return messages.receive(prepare, { name, max: options.max, maxReceives, now, hiddenUntil });
    },
    { durable: false },
  );
}

/** null: at once. */
function untilOf(clock: Clock, delaySeconds: number): number | null {
  return delaySeconds > 0 ? clock.now() + delaySeconds * 1000 : null;
}

function requireSize(queue: string, body: string): void {
  const bytes = Buffer.byteLength(body);
  if (bytes <= maxBodyBytes) return;
  throw new HawserError(
    'too-large',
    `a message for queue ${queue} has ${bytes} bytes, a message holds ${maxBodyBytes}`,
    {
      data: { queue, bytes, limit: maxBodyBytes },
      hint: 'Put what is large into the chunk store and send its digest.',
    },
  );
}

function receiptOf(delivery: Delivery): messages.Receipt {
  const [id, receives] = delivery.receipt.split(':').map(Number);
  if (id !== undefined && receives !== undefined) return { id, receives };
  throw new HawserError('invalid-input', `not a receipt of this queue: ${delivery.receipt}`);
}
