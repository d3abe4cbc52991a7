import { HawserError, messageOf } from '../../errors.ts';
import { isJsonObject } from '../../domain/json.ts';
import type { RenderContext } from './render-context.ts';

/**
 * Looks through the chart before helm does: a schema must not refer to files or hosts (NT-43), and templates that call
 * `lookup` are noted, because it answers nothing here (NT-47).
 */
export function checkChart({ files, path, warnings }: RenderContext): void {
  const prefix = path === '' ? '' : `${path}/`;
  if (!files.has(`${prefix}Chart.yaml`)) {
    throw new HawserError('render-failed', `there is no Chart.yaml in ${path === '' ? 'the root' : path}`, {
      data: { path },
    });
  }
  let usesLookup = false;
  for (const [name, content] of files) {
    if (!name.startsWith(prefix)) continue;
    if (name.endsWith('values.schema.json')) checkSchema(name, content);
    usesLookup ||= isTemplate(name) && callsLookup(content);
  }
  if (usesLookup)
    warnings.push('uses-lookup: a template calls lookup, which finds nothing here because rendering sees no cluster');
}

function isTemplate(name: string): boolean {
  return name.includes('/templates/') || name.startsWith('templates/');
}

function callsLookup(content: Uint8Array): boolean {
  const buffer = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  return buffer.includes('lookup') && /\{\{(?:(?!\}\}).)*?\blookup\s+["'(.$]/s.test(buffer.toString());
}

function checkSchema(name: string, content: Uint8Array): void {
  let schema: unknown;
  try {
    schema = JSON.parse(Buffer.from(content).toString());
  } catch (error) {
    throw new HawserError('render-failed', `${name} is not JSON: ${messageOf(error).slice(0, 200)}`, {
      data: { file: name },
    });
  }
  const pending: unknown[] = [schema];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (Array.isArray(next)) pending.push(...next);
    if (!isJsonObject(next)) continue;
    for (const [key, value] of Object.entries(next)) {
      if (/^\$(?:ref|dynamicRef|recursiveRef|schema|id)$/.test(key) && typeof value === 'string')
        requireLocalSchema(name, key, value);
      pending.push(value);
    }
  }
}

/** Schemas may name the drafts that helm carries; everything else must stay within the document. */
function requireLocalSchema(name: string, key: string, reference: string): void {
  if (reference.startsWith('#') || (key !== '$ref' && !/^file:/i.test(reference))) return;
  if (!/^[a-z][a-z0-9+.-]*:|^\/|\.\./i.test(reference) || /^https?:\/\/json-schema\.org\//.test(reference)) return;
  throw new HawserError(
    'render-failed',
    `${name}: ${key} ${JSON.stringify(reference.slice(0, 200))} is not part of the chart`,
    {
      data: { file: name },
      hint: 'Put the definition into the schema itself, under $defs.',
    },
  );
}
