import { Argument, type Command } from 'commander';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { listApplications } from '../find-application.ts';
import { kindNames } from '../kinds.ts';
import { oneLine } from '../output/escape.ts';
import { examples } from '../program.ts';
import { verbs } from '../verbs.ts';

/** Commands whose arguments are applications. */
const applicationVerbs = [
  'diff',
  'sync',
  'wait',
  'tree',
  'events',
  'history',
  'rollback',
  'suspend',
  'resume',
  'delete',
  'refresh',
  'confirm',
];
const subcommands: Record<string, readonly string[]> = {
  cluster: ['add', 'list', 'wait', 'renew', 'revoke', 'restore', 'remove'],
  repo: ['add', 'list', 'remove'],
  token: ['list', 'add', 'revoke'],
  queues: ['list', 'peek', 'redrive'],
  completion: ['bash', 'zsh', 'fish'],
};

export function register(command: Command, context: Context): void {
  command
    .addArgument(new Argument('<shell>', 'your shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      examples([
        ['source <(hawser completion bash)', 'bash, for this session; put it into ~/.bashrc to keep it'],
        ['source <(hawser completion zsh)', 'zsh, after compinit; ~/.zshrc'],
        ['hawser completion fish | source', 'fish; ~/.config/fish/config.fish'],
      ]),
    )
    .action((shell: string) => {
      context.out.write(shell === 'fish' ? fish() : shell === 'zsh' ? zsh() : bash());
    });
  // What the scripts call: what may come after these words. Says nothing rather than fail: the prompt must stay clean.
  command
    .command('words', { hidden: true })
    .description('Print what may follow; for the scripts.')
    .argument('[word...]')
    .allowUnknownOption()
    .addHelpText('after', examples([['hawser completion words get apps', 'names of applications']]))
    .action(async (words: string[], _options: object, self: Command) => {
      const candidates = await candidatesAfter(words, async () => {
        try {
          return (await listApplications(connect(context, self))).map(({ name }) => name);
        } catch {
          return [];
        }
      });
      // A name that the shell would take apart is not worth completing.
      const plain = candidates.filter((word) => /^[\w./-]+$/.test(word));
      context.out.write(plain.map((word) => `${oneLine(word)}\n`).join(''));
    });
}

/** What may come after these words of a command line (the first is the verb); names are asked for only where they fit. */
export async function candidatesAfter(words: readonly string[], names: () => Promise<string[]>): Promise<string[]> {
  const [verb, ...rest] = words.filter((word) => !word.startsWith('-'));
  if (verb === undefined) return [...verbs.map(({ name }) => name), 'help'];
  if (subcommands[verb] !== undefined) return rest.length === 0 ? [...subcommands[verb]] : [];
  if (verb === 'get') {
    if (rest.length === 0) return Object.keys(kindNames);
    return ['applications', 'application', 'app', 'apps', 'ks', 'kustomizations'].includes(rest[0] ?? '')
      ? unique(await names())
      : [];
  }
  if (verb === 'help') return verbs.map(({ name }) => name);
  return applicationVerbs.includes(verb) ? unique(await names()) : [];
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}

function bash(): string {
  return `# bash completion for hawser
_hawser() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    -f|--filename) COMPREPLY=($(compgen -f -- "$current")); return ;;
    -o|--output) COMPREPLY=($(compgen -W "wide json yaml name" -- "$current")); return ;;
  esac
  COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" completion words -- "\${words[@]}" 2>/dev/null)" -- "$current"))
}
complete -F _hawser hawser
`;
}

function zsh(): string {
  return `#compdef hawser
_hawser() {
  case "\${words[CURRENT-1]}" in
    -f|--filename) _files; return ;;
    -o|--output) compadd wide json yaml name; return ;;
  esac
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" completion words -- "\${(@)words[2,CURRENT-1]}" 2>/dev/null)}")
  compadd -a candidates
}
compdef _hawser hawser
`;
}

function fish(): string {
  return `# fish completion for hawser
function __hawser_words
  set -l words (commandline -opc)
  $words[1] completion words -- $words[2..-1] 2>/dev/null
end
complete -c hawser -f -a '(__hawser_words)'
complete -c hawser -s f -l filename -r -F
complete -c hawser -s o -l output -x -a 'wide json yaml name'
`;
}
