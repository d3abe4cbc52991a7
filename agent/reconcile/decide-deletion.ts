import type { AppRecord } from '../state/record.ts';
import { decideLeaving } from './decide-operation.ts';
import type { Decision, Facts } from './model.ts';

/**
 * A deletion order (G-10): signed, of the newest generation, not expired. Deletes what the inventory holds, last wave
 * first, and forgets the application when all of it is gone.
 */
export function decideDeletion(facts: Facts): Decision {
  const { root, record, now } = facts;
  const order = root.deletion;
  if (order === undefined) return { do: 'wait' };
  if (record.deletion?.state === 'done') return { do: 'forget' };
  if (record.deletion?.state !== 'running') {
    if (Date.parse(order.until) <= now) {
      return {
        do: 'wait',
        message: `the deletion order of ${order.by} expired at ${order.until}: nothing was deleted`,
      };
    }
    return { do: 'save', record: { ...record, deletion: { state: 'running' } } };
  }
  if (order.cascade === 'orphan') return { do: 'save', record: { ...record, deletion: { state: 'done' } } };
  const keys = lastWave(facts, record);
  const open = keys.filter((key) => record.inventory.get(key)?.deleting === undefined);
  if (open.length > 0) return { do: 'delete', keys: open };
  const leaving = decideLeaving(facts, keys);
  if (leaving !== undefined) return leaving;
  return { do: 'save', record: { ...record, deletion: { state: 'done' } } };
}

/** The highest wave that still has objects: waves are deleted in reverse (argo-cd.md §2.9). Kept ones are not in the way. */
function lastWave(facts: Facts, record: AppRecord): string[] {
  const kept = new Set(record.deletion?.kept);
  const waveOf = (key: string) => record.inventory.get(key)?.wave ?? 0;
  const keys = [...record.inventory.keys()].filter((key) => !kept.has(key));
  const wave = Math.max(...keys.map(waveOf));
  return keys.filter((key) => waveOf(key) === wave);
}
