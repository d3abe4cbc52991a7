import type { Command } from 'commander';
import { connect } from '../client.ts';
import type { Context } from '../context.ts';
import { usage } from '../failure.ts';
import { printList } from '../get/print-list.ts';
import { viewOf, type Filter } from '../get/views.ts';
import { watchList } from '../get/watch-list.ts';
import { kindNames, kindOf, parseSelector } from '../kinds.ts';
import { formatOf } from '../output/print.ts';
import { examples } from '../program.ts';

interface Options {
  allNamespaces?: boolean;
  namespace?: string;
  selector?: string;
  watch?: boolean;
}

export function register(command: Command, context: Context): void {
  command
    .argument('<kind>', Object.keys(kindNames).join(', ').concat('; short names as in kubectl (app, ks, …)'))
    .argument('[name...]', 'only these: id, name or namespace/name')
    .option('-A, --all-namespaces', 'of all namespaces (which is so without it, too)')
    .option('-n, --namespace <namespace>', 'only what was declared in this namespace')
    .option('-l, --selector <labels>', 'only what has these labels, as in team=shop,tier!=test')
    .option('-w, --watch', 'go on, and show what changes')
    .addHelpText(
      'after',
      examples([
        ['hawser get apps', 'all applications'],
        ['hawser get apps -w', 'the same, live'],
        ['hawser get app podinfo -o yaml', 'one, as it was declared, with its status'],
        ["hawser get apps -o json | jq '.items[].status.sync.status'", "the status in Argo CD's own shape"],
        ['hawser get ks -n flux-system -l team=shop', 'Flux Kustomizations by label'],
        ['hawser get clusters -o wide', 'clusters with versions and memory'],
      ]),
    )
    .action(async (kind: string, names: string[], options: Options, self: Command) => {
      const [kindText = kind, nameInKind] = kind.split('/', 2);
      const view = viewOf(kindOf(kindText));
      const filter: Filter = {
        names: nameInKind === undefined ? names : [nameInKind, ...names],
        namespace: options.allNamespaces === true ? undefined : options.namespace,
        labels: options.selector === undefined ? undefined : parseSelector(options.selector),
        single: (nameInKind === undefined ? 0 : 1) + names.length === 1,
      };
      const format = formatOf(self);
      if (options.watch === true && format === 'yaml')
        throw usage('--watch cannot print YAML', 'Use -o json: one object per line.');
      const client = connect(context, self);
      if (options.watch === true) await watchList(context, client, view, filter, format);
      else await printList(context, client, view, filter, format);
    });
}
