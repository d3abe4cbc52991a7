import { createWriteStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceStart } from '../running-service.ts';

type Closer = () => Promise<void> | void;

/** Where everything is, for people who want to look into table and queues with AWS's own tools; gone with the emulators. */
export interface Places {
  region: string;
  endpoints: { dynamodb: string; localstack: string };
  table: string;
  /** Before the name of a queue in its URL. */
  queueBase: string;
}

/** Writes `DIR/aws.json`; gives what removes it. */
export function tellPlaces(dataDir: string, places: Places): () => void {
  const file = join(dataDir, 'aws.json');
  writeFileSync(file, `${JSON.stringify(places, null, 2)}\n`, { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

/** What functions write to /tmp; nothing of it outlives the run. */
export function scratchOf({ dataDir }: ServiceStart, closers: Closer[]): string {
  const folder = join(dataDir, 'tmp');
  const clear = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  clear();
  closers.push(clear);
  return folder;
}

/** One file per function, as CloudWatch has one log group; on standard error as well where more is to be seen. */
export function functionLogs(
  { dataDir, verbose }: ServiceStart,
  closers: Closer[],
): (name: string, chunk: Buffer) => void {
  const folder = join(dataDir, 'logs');
  mkdirSync(folder, { recursive: true });
  const files = new Map<string, ReturnType<typeof createWriteStream>>();
  closers.push(() => {
    for (const file of files.values()) file.end();
  });
  return (name, chunk) => {
    let file = files.get(name);
    if (file === undefined) {
      file = createWriteStream(join(folder, `function-${name}.log`));
      files.set(name, file);
    }
    if (!file.writableEnded) file.write(chunk);
    if (verbose) process.stderr.write(chunk);
  };
}
