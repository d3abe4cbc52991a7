/** Progress for people: one line per step, rewritten in place on a terminal, plain lines elsewhere. */
export interface Terminal {
  /** Starts a step. */
  step(title: string): void;
  /** What the step is at. */
  detail(text: string): void;
  /** Ends the step with how long it took. */
  done(note?: string): void;
  failed(): void;
  line(text?: string): void;
}

/** In a log a line now and then is enough. */
const plainEveryMs = 10_000;
const clearLine = '\u001B[2K\r';

/** A terminal on standard output; `isTty` false gives plain lines. */
export function createTerminal(out: NodeJS.WriteStream): Terminal {
  const colour = out.isTTY && process.env['NO_COLOR'] === undefined;
  const paint = (code: number, text: string) => (colour ? `\u001B[${code}m${text}\u001B[0m` : text);
  let current: { title: string; startedAt: number } | undefined;
  let saidAt = 0;
  const elapsed = () => (current === undefined ? '' : `${((Date.now() - current.startedAt) / 1000).toFixed(1)} s`);
  return {
    step(title) {
      current = { title, startedAt: Date.now() };
      if (out.isTTY) out.write(`${clearLine}${paint(36, '…')} ${title}`);
    },
    detail(text) {
      if (current === undefined) return;
      const width = Math.max(20, (out.columns ?? 100) - current.title.length - 6);
      if (out.isTTY) out.write(`${clearLine}${paint(36, '…')} ${current.title}  ${paint(2, text.slice(0, width))}`);
      else if (Date.now() - saidAt > plainEveryMs) {
        saidAt = Date.now();
        out.write(`  ${current.title}: ${text}\n`);
      }
    },
    done(note) {
      if (current === undefined) return;
      out.write(
        `${out.isTTY ? clearLine : ''}${paint(32, '✓')} ${current.title}${note === undefined ? '' : `  ${note}`}  ${paint(2, elapsed())}\n`,
      );
      current = undefined;
    },
    failed() {
      if (current === undefined) return;
      out.write(`${out.isTTY ? clearLine : ''}${paint(31, '✗')} ${current.title}  ${paint(2, elapsed())}\n`);
      current = undefined;
    },
    line: (text = '') => void out.write(`${text}\n`),
  };
}
