/** What a colour says; terminals show these in their own shades. */
export type Shade = 'good' | 'changing' | 'bad' | 'muted' | 'strong' | 'plain';

export interface Colour {
  paint(shade: Shade, text: string): string;
}

const codes: Record<Shade, [number, number] | undefined> = {
  good: [32, 39],
  changing: [33, 39],
  bad: [31, 39],
  muted: [2, 22],
  strong: [1, 22],
  plain: undefined,
};

/** Colours, or none at all. */
export function createColour(enabled: boolean): Colour {
  return {
    paint(shade, text) {
      const code = enabled && text !== '' ? codes[shade] : undefined;
      return code === undefined ? text : `\u001b[${code[0]}m${text}\u001b[${code[1]}m`;
    },
  };
}

/** Colours only on a terminal that can show them, unless NO_COLOR or --no-color says otherwise; FORCE_COLOR asks for them anywhere. */
export function wantsColour(
  env: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
  noColour: boolean,
): boolean {
  if (noColour || (env['NO_COLOR'] ?? '') !== '') return false;
  if ((env['FORCE_COLOR'] ?? '0') !== '0') return true;
  return isTerminal && env['TERM'] !== 'dumb';
}

const shadeByWord: Record<string, Shade> = {
  Healthy: 'good',
  Synced: 'good',
  Succeeded: 'good',
  True: 'good',
  Progressing: 'changing',
  Running: 'changing',
  Terminating: 'changing',
  Suspended: 'changing',
  OutOfSync: 'changing',
  Missing: 'changing',
  Degraded: 'bad',
  Failed: 'bad',
  Error: 'bad',
  False: 'bad',
  Warning: 'changing',
  Unknown: 'muted',
};

/** The shade of a health, sync, phase or condition word. */
export function shadeOf(word: string): Shade {
  return shadeByWord[word] ?? 'plain';
}
