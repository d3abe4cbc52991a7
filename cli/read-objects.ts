import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isJsonObject, type JsonObject } from '#shared/domain/json.ts';
import type { Context } from './context.ts';
import { usage } from './failure.ts';
import { messageOf } from '#shared/errors.ts';

/** An object of a file, and where it stands there. */
export interface ReadObject {
  object: JsonObject;
  file: string;
  line: number;
}

/** The objects of files, folders and `-` (standard input), in order; lists are opened. Usage failures name file and line. */
export async function readObjects(
  context: Pick<Context, 'cwd' | 'readInput'>,
  paths: readonly string[],
  recursive: boolean,
): Promise<ReadObject[]> {
  const { readYaml } = await import('./output/yaml.ts');
  const objects: ReadObject[] = [];
  for (const path of paths) {
    const files = path === '-' ? ['-'] : filesIn(context.cwd, path, recursive);
    for (const file of files) {
      const text = file === '-' ? await context.readInput() : readFile(resolve(context.cwd, file));
      objects.push(...objectsIn(text, file === '-' ? 'standard input' : file, readYaml));
    }
  }
  return objects;
}

function objectsIn(
  text: string,
  file: string,
  read: (text: string) => { value: unknown; line: number }[],
): ReadObject[] {
  try {
    return read(text).flatMap(({ value, line }) => open(value).map((object) => ({ object, file, line })));
  } catch (error) {
    throw usage(`${file} cannot be read: ${messageOf(error)}`, 'It must hold Kubernetes objects as YAML or JSON.');
  }
}

/** The object itself, or the items of a `List` or of a plain array. */
function open(value: unknown): JsonObject[] {
  if (Array.isArray(value)) return value.flatMap(open);
  if (!isJsonObject(value)) throw new Error('there is a document that is not an object');
  const items = value['items'];
  if (String(value['kind'] ?? '').endsWith('List') && Array.isArray(items)) return items.flatMap(open);
  if (typeof value['kind'] !== 'string' || typeof value['apiVersion'] !== 'string') {
    throw new Error('there is an object without kind and apiVersion');
  }
  return [value];
}

function filesIn(cwd: string, path: string, recursive: boolean): string[] {
  let isFolder: boolean;
  try {
    isFolder = statSync(resolve(cwd, path)).isDirectory();
  } catch {
    throw usage(`there is no file or folder ${JSON.stringify(path)}`);
  }
  if (!isFolder) return [path];
  const entries = readdirSync(resolve(cwd, path), { withFileTypes: true }).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  return entries.flatMap((entry) => {
    const inner = join(path, entry.name);
    if (entry.isDirectory()) return recursive && entry.name !== '.git' ? filesIn(cwd, inner, true) : [];
    return /\.(ya?ml|json)$/.test(entry.name) ? [inner] : [];
  });
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usage(`${path} cannot be read: ${messageOf(error)}`);
  }
}
