import { stringify } from 'yaml';

/** An object as YAML with its keys in the order people expect; '' for nothing. */
export function toYaml(value: unknown): string {
  if (value === undefined || value === null) return '';
  return stringify(ordered(value), { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}

export function toJson(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value, null, 2);
}

const firstKeys = ['apiVersion', 'kind', 'metadata', 'name', 'namespace', 'type', 'spec', 'data', 'stringData'];
const lastKeys = ['status'];

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(entries.map(([key, entry]) => [key, ordered(entry)]));
}

function rank(key: string): number {
  const first = firstKeys.indexOf(key);
  if (first >= 0) return first;
  return lastKeys.includes(key) ? 1000 : 100;
}
