import { Command, CommanderError, Option } from 'commander';
import type { Context } from './context.ts';
import { exitCode } from './failure.ts';
import { verbs } from './verbs.ts';

const valueOptions = new Set(['--server', '--token', '-o', '--output']);

/**
 * The program with its commands. Only the command that is used is loaded; of the others the program knows
 * name and summary, which is what `--help` needs.
 */
export async function createProgram(argv: readonly string[], context: Context): Promise<Command> {
  const program = new Command('hawser')
    .description('GitOps without a control plane to run: hand in what you have, see what is, act on it.')
    .option('--server <url>', 'address of the service (HAWSER_SERVER, the login file, .hawser/run.json)')
    .addOption(new Option('--token <token>', 'token to use (HAWSER_TOKEN, the login file, .hawser/run.json)'))
    .option('-o, --output <format>', 'how to print: wide, json, yaml or name')
    .option('--no-color', 'print without colours (as NO_COLOR does)')
    .version(context.version, '-V, --version', 'print the version of this program')
    .helpOption('-h, --help', 'show help')
    .configureHelp({ showGlobalOptions: true, sortOptions: false })
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showSuggestionAfterError(true)
    .showHelpAfterError('       See `hawser --help`.')
    .exitOverride()
    .addHelpCommand(new Command('help').argument('[command]').summary('show help').helpGroup('Other:'))
    .addHelpText('after', examples(programExamples));
  const used = usedVerb(argv);
  for (const verb of verbs) {
    const command = program
      .command(verb.name)
      .summary(verb.summary)
      .description(sentence(verb.summary))
      .helpGroup(verb.group)
      .showHelpAfterError(`       See \`hawser ${verb.name} --help\`.`);
    if (verb.name === used) (await verb.load()).register(command, context);
  }
  return program;
}

const programExamples = [
  ['hawser apply -f apps/', 'register every Argo CD and Flux object in a folder'],
  ['hawser get apps', 'see all applications'],
  ['hawser diff podinfo', 'see what differs from Git'],
  ['hawser sync podinfo --wait', 'make it so, and wait until it is healthy'],
  ['hawser doctor', 'find out why something does not work'],
] as const;

/** The examples below a command's help. */
export function examples(list: readonly (readonly [line: string, what: string])[]): string {
  const width = Math.max(...list.map(([line]) => line.length));
  return `\nExamples:\n${list.map(([line, what]) => `  ${line.padEnd(width)}   # ${what}`).join('\n')}\n`;
}

/** The first argument that is a command's name; `help get` means `get`. */
export function usedVerb(argv: readonly string[]): string | undefined {
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? '';
    if (valueOptions.has(argument)) index += 1;
    else if (!argument.startsWith('-') && argument !== 'help') return argument;
  }
  return undefined;
}

/** The exit code of what commander throws instead of exiting: 0 for help and version, 2 for wrong usage. */
export function codeOfCommander(error: unknown): number | undefined {
  if (!(error instanceof CommanderError)) return undefined;
  return error.exitCode === 0 ? exitCode.done : exitCode.usage;
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
