import { HawserError } from '#shared/errors.ts';
import { unansweredReason } from '#shared/domain/dead-letters.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { DeadLetter, Delivery, Queue, QueueSettings } from '#shared/ports/queue.ts';

/** `sign`: the root key in KMS; `kms`: the key that wraps data keys. */
export type Service = 'dynamodb' | 'sqs' | 'kms' | 'sign' | 'lambda';

/** What goes wrong all the time, each out of 1,000 calls, messages or invocations. */
export interface Weather {
  /** Calls that are refused, after all that the SDK tried. */
  throttled: number;
  /** Calls that do as asked, and whose answer is lost (FT-41). */
  cut: number;
  /** Messages that are delivered twice (FT-02). */
  duplicated: number;
  /** Invocations that are killed with all that they had done: nothing of their batch is deleted (FT-10). */
  killed: number;
}

export const fairWeather: Weather = { throttled: 0, cut: 0, duplicated: 0, killed: 0 };

/** A region of AWS as far as our functions notice it. */
export interface Region {
  weather: Weather;
  /** Services that answer nothing. For `lambda`: no function gets to run. */
  away: Set<Service>;
  /** Numbers from 0 to below `sides`, the same for the same seed. */
  dice: (sides: number) => number;
  /** The same part, behind a network that loses things. */
  behind<T extends object>(service: Service, part: T): T;
  /** `body`: what becomes of bodies under way. */
  openQueue(settings: QueueSettings, body?: (body: string) => string): SimulatedQueue;
}

/** SQS: at least once, in no order, with a count of receives, and dead letters that SQS makes without saying why. */
export interface SimulatedQueue extends Queue {
  /** What an event source gets: up to so many visible messages, hidden from now on. */
  poll(most: number): Delivery[];
  /** What an event source deletes. */
  settle(ids: readonly string[]): void;
  /** When the next message becomes visible. */
  nextAt(): number;
  dead: DeadLetter[];
  /** Messages that are not dead. */
  size(): number;
  /** How many were received at all. */
  received: number;
}

interface Message {
  id: string;
  body: string;
  receives: number;
  visibleAt: number;
  expiresAt: number;
}

/** SQS keeps nothing longer. */
const retentionMs = 14 * 24 * 3600_000;

export function createRegion(seed: number, clock: Clock, weather: Weather): Region {
  const dice = createDice(seed);
  const region: Region = { weather, away: new Set(), dice, behind, openQueue: open };
  return region;

  function behind<T extends object>(service: Service, part: T): T {
    return new Proxy(part, {
      get(target, name: string) {
        const member = target[name as keyof T];
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]) => {
          refuseNow(service, name);
          const result: unknown = await (member as (...all: unknown[]) => unknown).apply(target, args);
          if (dice(1000) < region.weather.cut) throw lost(service, `${name}: the answer was lost`);
          return result;
        };
      },
    });
  }

  function refuseNow(service: Service, name: string): void {
    if (region.away.has(service)) throw lost(service, `${name}: AWS did not answer`);
    if (dice(1000) < region.weather.throttled) throw lost(service, `${name}: AWS is throttled`);
  }

  function open(settings: QueueSettings, change = (body: string) => body): SimulatedQueue {
    const messages = new Map<string, Message>();
    let number = 0;
    const add = (body: string, delaySeconds: number): void => {
      const id = `${settings.name}-${(number += 1)}`;
      const now = clock.now();
      messages.set(id, { id, body, receives: 0, visibleAt: now + delaySeconds * 1000, expiresAt: now + retentionMs });
    };
    const die = (id: string, reason: string): void => {
      const found = messages.get(id);
      if (found === undefined || !messages.delete(id)) return;
      queue.dead.push({ id, body: found.body, reason, receives: found.receives, diedAt: clock.now() });
    };
    const hide = ({ id, receipt }: Delivery, seconds: number): void => {
      const found = messages.get(id);
      if (found !== undefined && receipt === String(found.receives)) found.visibleAt = clock.now() + seconds * 1000;
    };
    const port: Omit<Queue, 'name'> = {
      async send(bodies, options) {
        for (const body of bodies.map(change)) {
          add(body, options?.delaySeconds ?? 0);
          if (dice(1000) < region.weather.duplicated) add(body, dice(600));
        }
      },
      receive: async () => [],
      done: async (deliveries) => void deliveries.map(({ id }) => messages.delete(id)),
      async retry(delivery, { delaySeconds, reason }) {
        if (delivery.receives >= settings.maxReceives) die(delivery.id, reason);
        else hide(delivery, delaySeconds);
      },
      bury: async (delivery, reason) => die(delivery.id, reason),
      extend: async (delivery, seconds) => hide(delivery, seconds),
      counts: async () => ({ ready: messages.size, inFlight: 0, delayed: 0, dead: queue.dead.length }),
      deadLetters: async (limit) => queue.dead.slice(0, limit),
      async redrive(ids) {
        const chosen = queue.dead.filter(({ id }) => ids === undefined || ids.includes(id));
        queue.dead = queue.dead.filter((letter) => !chosen.includes(letter));
        for (const { body } of chosen) add(body, 0);
        return chosen.length;
      },
    };
    const queue: SimulatedQueue = {
      ...behind('sqs', port),
      name: settings.name,
      dead: [],
      received: 0,
      size: () => messages.size,
      nextAt: () => Math.min(...[...messages.values()].map(({ visibleAt }) => visibleAt)),
      settle(ids: readonly string[]) {
        if (region.away.has('sqs')) return;
        for (const id of ids) messages.delete(id);
      },
      poll(most: number) {
        const now = clock.now();
        for (const { id, expiresAt } of messages.values()) if (expiresAt <= now) messages.delete(id);
        if (region.away.has('sqs')) return [];
        const visible = shuffled([...messages.values()].filter(({ visibleAt }) => visibleAt <= now)).slice(0, most);
        return visible.flatMap((message) => {
          message.receives += 1;
          message.visibleAt = now + settings.visibilitySeconds * 1000;
          if (message.receives > settings.maxReceives) {
            die(message.id, unansweredReason(settings.maxReceives));
            return [];
          }
          queue.received += 1;
          const { id, body, receives } = message;
          return [{ id, body, receives, receipt: String(receives) }];
        });
      },
    };
    return queue;
  }

  function shuffled<T>(items: T[]): T[] {
    return items
      .map((item) => ({ item, key: dice(1_000_000) }))
      .sort((a, b) => a.key - b.key)
      .map(({ item }) => item);
  }
}

function lost(service: Service, what: string): HawserError {
  return new HawserError('unavailable', `${service}: ${what}`, { retry: 'later' });
}

function createDice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}
