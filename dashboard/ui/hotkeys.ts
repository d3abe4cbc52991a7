/** A key press as far as shortcuts care. */
export interface KeyPress {
  key: string;
  /** Ctrl, Meta or Alt is held: never ours. */
  modified: boolean;
  /** The focus is where people type. */
  inField: boolean;
  /** A modal dialog is open: it has its own keys. */
  inDialog: boolean;
  /** Milliseconds, for how long a first key of two waits. */
  at: number;
}

export type Bindings = Readonly<Record<string, (() => void) | undefined>>;

export interface Hotkeys {
  /** Later registrations win; returns how to take them back. */
  register: (bindings: Bindings) => () => void;
  /** True where the press was used, so that its default must not happen. */
  press: (press: KeyPress) => boolean;
}

const prefixes = ['g'];
const prefixMs = 1200;

/** Shortcuts of one page: single keys (`j`, `?`) and two in a row (`g a`). Only Escape works while typing. */
export function createHotkeys(): Hotkeys {
  const layers: Bindings[] = [];
  let prefix: { key: string; at: number } | undefined;

  function run(name: string): boolean {
    const action = layers.findLast((layer) => layer[name] !== undefined)?.[name];
    action?.();
    return action !== undefined;
  }

  return {
    register(bindings) {
      layers.push(bindings);
      return () => {
        const index = layers.indexOf(bindings);
        if (index >= 0) layers.splice(index, 1);
      };
    },
    press(press) {
      if (press.modified || press.inDialog || (press.inField && press.key !== 'Escape')) {
        prefix = undefined;
        return false;
      }
      const first = prefix !== undefined && press.at - prefix.at <= prefixMs ? prefix.key : undefined;
      prefix = undefined;
      if (first !== undefined) return run(`${first} ${press.key}`);
      if (prefixes.includes(press.key)) {
        prefix = { key: press.key, at: press.at };
        return true;
      }
      return run(press.key);
    },
  };
}
