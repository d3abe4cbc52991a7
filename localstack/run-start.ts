import { HawserError, messageOf } from '#shared/errors.ts';
import { parseStartOptions, usageOf, type StartDefaults, type StartOptions } from './options.ts';
import type { Product } from './product.ts';
import type { StartService } from './running-service.ts';
import { createTerminal } from './terminal.ts';

/** A start from the command line: reads the options, starts everything, ends it all with Ctrl-C. */
export async function runStart(defaults: StartDefaults, loadService?: () => Promise<StartService>): Promise<void> {
  const terminal = createTerminal(process.stdout);
  let options: StartOptions;
  try {
    options = {
      ...parseStartOptions(process.argv.slice(2), defaults),
      auditLog: process.env['HAWSER_SANDBOX_AUDIT'] === '1',
    };
  } catch (error) {
    fail(error, 2);
    return;
  }
  if (options.help) {
    process.stdout.write(usageOf(defaults));
    return;
  }
  const stopping = new AbortController();
  let product: Product | undefined;
  let interrupts = 0;
  const stop = () => {
    interrupts += 1;
    stopping.abort();
    if (interrupts > 1) {
      // In a hurry: what is left ends by itself, because it notices that this process is gone.
      process.exit(130);
    }
    if (product !== undefined) {
      terminal.line('\nstopping …');
      void product.stop().then(() => process.exit(0));
    }
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  try {
    // Loaded only now: a wrong option is answered at once.
    const { startProduct } = await import('./product.ts');
    product = await startProduct(options, terminal, stopping.signal, await loadService?.());
  } catch (error) {
    terminal.failed();
    if (stopping.signal.aborted) {
      process.exit(130);
    }
    fail(error, 1);
    process.exit(1);
  }
}

function fail(error: unknown, code: number): void {
  process.stderr.write(`error: ${messageOf(error)}\n`);
  if (error instanceof HawserError && error.hint !== undefined) process.stderr.write(`       ${error.hint}\n`);
  if (!(error instanceof HawserError) && error instanceof Error && error.stack !== undefined)
    process.stderr.write(`${error.stack}\n`);
  process.exitCode = code;
}
