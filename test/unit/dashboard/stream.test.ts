import { describe, expect, it } from 'vitest';
import type { StreamEvent } from '#shared/messages/api.ts';
import { createStream, type EventSourceLike, type StreamState } from '#dashboard/api/stream.ts';

/** An EventSource that a test plays the browser for. */
function fakeSource() {
  const listeners = new Map<string, (event: { data?: unknown }) => void>();
  const source = {
    readyState: 0,
    addEventListener: (type: string, listener: (event: { data?: unknown }) => void) =>
      void listeners.set(type, listener),
    close: () => undefined,
  } satisfies EventSourceLike;
  const happen = (type: string, data?: StreamEvent) =>
    listeners.get(type)?.(data === undefined ? {} : { data: JSON.stringify(data) });
  return {
    source,
    open() {
      source.readyState = 1;
      happen('open');
    },
    event: (event: StreamEvent) => happen(event.type, event),
    /** The connection ended; the browser will come again by itself. */
    lose() {
      source.readyState = 0;
      happen('error');
    },
  };
}

function world() {
  const fake = fakeSource();
  const states: StreamState[] = [];
  const events: StreamEvent[] = [];
  const timers: (() => void)[] = [];
  createStream({
    open: () => fake.source,
    onEvents: (batch) => void events.push(...batch),
    onState: (state) => void states.push(state),
    onRefused: () => undefined,
    setTimer: (run) => timers.push(run),
    clearTimer: () => undefined,
    random: () => 0,
  });
  return { ...fake, states, events, flush: () => timers.splice(0).forEach((run) => run()) };
}

describe('the live connection of the page', () => {
  it('stays live where the service ends its answers by intent', () => {
    const { open, event, lose, states, events, flush } = world();
    for (let round = 0; round < 3; round += 1) {
      open();
      event({ type: 'removed', id: `app-${round}` });
      event({ type: 'pause' });
      lose();
    }
    flush();

    expect(states).toEqual(['live', 'live', 'live']);
    expect(events).toEqual([0, 1, 2].map((round) => ({ type: 'removed', id: `app-${round}` })));
  });

  it('is lost where it ends without that, or does not come back', () => {
    const { open, event, lose, states } = world();
    open();
    lose();
    open();
    event({ type: 'pause' });
    lose();
    lose();

    expect(states).toEqual(['live', 'reconnecting', 'live', 'reconnecting']);
  });

  it('hands on that the page has to read anew', () => {
    const { open, event, events, flush } = world();
    open();
    event({ type: 'reload' });
    flush();
    expect(events).toEqual([{ type: 'reload' }]);
  });
});
