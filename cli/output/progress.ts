import type { Output } from '../context.ts';
import { cut } from './table.ts';

/** Lines that are redrawn in place on a terminal; nothing at all elsewhere. */
export interface Progress {
  show(lines: readonly string[]): void;
  /** Removes what is shown. */
  clear(): void;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameMs = 100;

/** Progress with a spinner in front of each line. */
export function createProgress(output: Output): Progress {
  let lines: readonly string[] = [];
  let drawn = 0;
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;

  return {
    show(next) {
      if (!output.isTerminal) return;
      lines = next;
      timer ??= setInterval(draw, frameMs);
      draw();
    },
    clear() {
      clearInterval(timer);
      timer = undefined;
      if (drawn > 0) output.write(erase());
      drawn = 0;
    },
  };

  function draw(): void {
    frame = (frame + 1) % frames.length;
    const most = Math.max(1, (output.rows ?? 24) - 1);
    const shown = lines.slice(0, most);
    const width = output.columns ?? 80;
    const text = shown.map((line) => `${cut(`${frames[frame]} ${line}`, width - 1)}\n`).join('');
    output.write(`${erase()}${text}`);
    drawn = shown.length;
  }

  function erase(): string {
    return drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[J`;
  }
}

/** A text that replaces itself on a terminal (`--watch`). */
export function createScreen(output: Output): { draw(text: string): void } {
  let drawn = 0;
  return {
    draw(text) {
      const lines = text.split('\n').slice(0, -1);
      const most = Math.max(2, (output.rows ?? 24) - 1);
      const shown =
        lines.length <= most ? lines : [...lines.slice(0, most - 1), `… and ${lines.length - most + 1} more lines`];
      output.write(`${drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[J`}${shown.join('\n')}\n`);
      drawn = shown.length;
    },
  };
}
