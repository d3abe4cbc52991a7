/** A message that was received and must be settled (`done` or `retry`) before its visibility ends, or it comes again. */
export interface Delivery {
  id: string;
  /** JSON text. */
  body: string;
  /** 1 on the first delivery. */
  receives: number;
  /** Opaque; what settling needs. */
  receipt: string;
}

export interface DeadLetter {
  id: string;
  body: string;
  reason: string;
  receives: number;
  diedAt: number;
}

export interface SendOptions {
  delaySeconds?: number;
  /** Fairness key (the organisation), where the backend has fair queues. */
  group?: string;
}

/** At least once, unordered. Bodies are JSON text of at most 256 KiB. */
export interface Queue {
  readonly name: string;
  /** Durable once resolved. */
  send(bodies: readonly string[], options?: SendOptions): Promise<void>;
  /** Up to `max` messages; waits up to `waitSeconds` for the first (woken by a send, not by polling, where that is possible). */
  receive(options: {
    max: number;
    waitSeconds: number;
    visibilitySeconds: number;
    signal?: AbortSignal;
  }): Promise<Delivery[]>;
  done(deliveries: readonly Delivery[]): Promise<void>;
  /** Makes it visible again after the delay; after `maxReceives` receives it becomes a dead letter with the reason. */
  retry(delivery: Delivery, options: { delaySeconds: number; reason: string }): Promise<void>;
  /** Straight to the dead letters. */
  bury(delivery: Delivery, reason: string): Promise<void>;
  extend(delivery: Delivery, visibilitySeconds: number): Promise<void>;
  counts(): Promise<{ ready: number; inFlight: number; delayed: number; dead: number }>;
  deadLetters(limit: number): Promise<DeadLetter[]>;
  /** Sends dead letters again (all, or these); returns how many. */
  redrive(ids?: readonly string[]): Promise<number>;
}

/** Opens queues by name; settings come from `shared/flow.ts`. */
export interface Queues {
  open(settings: QueueSettings): Queue;
}

export interface QueueSettings {
  name: string;
  /** How long a received message stays hidden. */
  visibilitySeconds: number;
  /** After so many receives without `done` a message is a dead letter. */
  maxReceives: number;
}
