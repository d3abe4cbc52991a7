import { createPktLineReader } from './pkt-line.ts';

/** One line of a push: move `ref` from `before` to `after` (all zeros: it did not exist, it is to go). */
export interface RefCommand {
  ref: string;
  before: string;
  after: string;
}

/** What passes through a push, read on the way. */
export interface ReceiveLog {
  /** Takes a piece of the request body. */
  request(chunk: Buffer): void;
  /** Takes a piece of the response body. */
  response(chunk: Buffer): void;
  /** The commands, once all are known. */
  commands(): RefCommand[];
  /** Whether the client asked for a report; without one only the repository tells what happened. */
  reports(): boolean;
}

/**
 * Follows a push without a process of its own: the commands are at the start of the request,
 * what became of them is in the response's report.
 *
 * `onCommands` runs when the commands are known (before Git has done anything),
 * `onAccepted` when Git has reported, with the commands that it carried out.
 */
export function createReceiveLog(on: {
  commands(commands: RefCommand[]): void;
  accepted(commands: RefCommand[]): void;
}): ReceiveLog {
  const commands: RefCommand[] = [];
  const accepted = new Set<string>();
  let capabilities: string[] | undefined;

  const request = createPktLineReader((payload) => {
    if (payload === undefined) {
      if (commands.length > 0) on.commands(commands);
      return false;
    }
    const [line = '', options] = payload.toString('utf8').split('\0');
    if (options !== undefined) capabilities ??= options.trim().split(' ');
    const command = parseCommand(line);
    if (command !== undefined) commands.push(command);
    return true;
  });

  const report = createPktLineReader((payload) => {
    if (payload === undefined) {
      on.accepted(commands.filter((command) => accepted.has(command.ref)));
      return false;
    }
    const line = payload.toString('utf8').trimEnd();
    if (line.startsWith('ok ')) accepted.add(line.slice(3));
    return true;
  });

  const sideBand = createPktLineReader((payload) => {
    if (payload === undefined) return false;
    if (payload[0] === 1) report(payload.subarray(1));
    return true;
  });

  return {
    request,
    response(chunk) {
      if (commands.length === 0 || !has('report-status')) return;
      if (has('side-band')) sideBand(chunk);
      else report(chunk);
    },
    commands: () => commands,
    reports: () => has('report-status'),
  };

  function has(prefix: string): boolean {
    return capabilities?.some((capability) => capability.startsWith(prefix)) ?? false;
  }
}

/** `OLD NEW REF`; lines of other kinds (`shallow …`) are none. */
function parseCommand(line: string): RefCommand | undefined {
  const match = /^([0-9a-f]{40,64}) ([0-9a-f]{40,64}) (\S+)$/.exec(line.trimEnd());
  if (match === null) return undefined;
  const [, before = '', after = '', ref = ''] = match;
  return { ref, before, after };
}
