import { usage } from './failure.ts';
import { nearest } from './near.ts';

/** What `get` knows, by its plural; with the other names that people type. */
export const kindNames = {
  applications: ['application', 'app', 'apps'],
  kustomizations: ['kustomization', 'ks'],
  gitrepositories: ['gitrepository', 'gitrepo', 'gr'],
  appprojects: ['appproject', 'appproj', 'projects', 'project', 'proj'],
  clusters: ['cluster'],
  repositories: ['repository', 'repos', 'repo'],
  events: ['event', 'ev'],
} as const;

export type KindName = keyof typeof kindNames;

/** The kind that somebody means; a usage failure, with near names, for anything else. */
export function kindOf(typed: string): KindName {
  const wanted = typed.toLowerCase().split('.', 1)[0] ?? '';
  const entries = Object.entries(kindNames) as [KindName, readonly string[]][];
  const found = entries.find(([plural, names]) => plural === wanted || names.includes(wanted));
  if (found !== undefined) return found[0];
  const near = nearest(
    wanted,
    entries.flatMap(([plural, names]) => [plural, ...names]),
  );
  throw usage(
    `there is no kind ${JSON.stringify(typed)}`,
    near.length > 0 ? `Did you mean ${near[0]}?` : `Kinds: ${Object.keys(kindNames).join(', ')}.`,
  );
}

/** Whether labels fit a selector as kubectl has it: `a=b,c!=d,e,!f,g in (x,y),h notin (z)`. */
export function parseSelector(text: string): (labels: Readonly<Record<string, string>>) => boolean {
  const terms = [...text.matchAll(/(?:[^,(]|\([^)]*\))+/g)].map(([term]) => termOf(term.trim()));
  return (labels) => terms.every((term) => term(labels));
}

type Term = (labels: Readonly<Record<string, string>>) => boolean;

function termOf(text: string): Term {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, key = '', operator = '', list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    return (labels) => values.includes(labels[key] ?? '\0') === (operator === 'in');
  }
  const comparison = /^([^!=\s]+)\s*(==|=|!=)\s*([^=\s]*)$/.exec(text);
  if (comparison !== null) {
    const [, key = '', operator = '', value = ''] = comparison;
    return (labels) => (labels[key] === value) === (operator !== '!=');
  }
  const existence = /^(!?)\s*([^!=\s]+)$/.exec(text);
  if (existence !== null) {
    const [, not = '', key = ''] = existence;
    return (labels) => (labels[key] !== undefined) === (not === '');
  }
  throw usage(
    `${JSON.stringify(text)} is not a label selector`,
    'Write it as team=shop,tier!=test or "team in (a,b)".',
  );
}
