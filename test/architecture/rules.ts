/**
 * One boundary. `from` chooses files; what they import must match `only` (if given) and must not match `never` (if given).
 * `$1` in either stands for the first group of `from`. Imports within the same folder of `from`'s match are judged too.
 */
export interface Rule {
  name: string;
  /** Why, and what to do instead. */
  comment: string;
  from: string;
  only?: string;
  never?: string;
  /** An import that breaks it, so that a rule that cannot fail is noticed. */
  breaks: [from: string, to: string];
}

export const rules: Rule[] = [
  {
    name: 'the domain is pure',
    comment: 'No I/O, no clock, no platform: pass values in, and act at the edge (functions/, agent/, an adapter).',
    from: '^shared/domain/',
    only: '^(shared/domain/|shared/errors\\.ts|node:crypto$|npm:(zod|yaml|picomatch|semver)$)',
    breaks: ['shared/domain/fence.ts', 'node:fs'],
  },
  {
    name: 'a message is a schema',
    comment: 'Messages say what crosses a border. What is done with it belongs to the sender or the receiver.',
    from: '^shared/messages/',
    only: '^(shared/messages/|shared/domain/|npm:zod$)',
    breaks: ['shared/messages/hint.ts', 'shared/ports/clock.ts'],
  },
  {
    name: 'a port is an interface',
    comment: 'Ports speak of domain and messages only; what serves one is an adapter.',
    from: '^shared/ports/',
    only: '^(shared/ports/|shared/domain/|shared/messages/|npm:zod$)',
    breaks: ['shared/ports/queue.ts', 'shared/adapters/embedded/sqlite-queues.ts'],
  },
  {
    name: 'state knows ports, not adapters',
    comment: 'The table is read and written through the state store and chunk store that are handed in.',
    from: '^shared/state/',
    only: '^(shared/(state|domain|messages|ports)/|shared/errors\\.ts|node:(zlib|crypto|util)$|npm:zod$)',
    breaks: ['shared/state/heads.ts', 'shared/adapters/embedded/database.ts'],
  },
  {
    name: 'adapter families stay apart',
    comment: 'One bundle holds one family. What two of them need goes to shared/domain or becomes a port.',
    from: '^shared/adapters/([^/]+)/',
    never: '^(shared/adapters/(?!$1/)|shared/state/|functions/|agent/|cli/|dashboard/|infra/|localstack/|test/)',
    breaks: ['shared/adapters/git/remote.ts', 'shared/adapters/embedded/database.ts'],
  },
  {
    name: 'the flow is data',
    comment: 'Infrastructure and documents read it: it names messages and settings, and starts nothing.',
    from: '^shared/flow\\.ts$',
    only: '^(shared/messages/|shared/ports/|npm:zod$)',
    breaks: ['shared/flow.ts', 'functions/plan/handle-hint.ts'],
  },
  {
    name: 'shared stands alone',
    comment: 'What everybody agrees on cannot depend on anybody.',
    from: '^shared/',
    never: '^(functions|agent|cli|dashboard|infra|localstack|test)/',
    breaks: ['shared/state/heads.ts', 'functions/publish/scope.ts'],
  },
  {
    name: 'stages do not know each other',
    comment: 'A stage hands on by a queue of shared/flow.ts. What two need goes to shared/state or shared/domain.',
    from: '^functions/(?!entry/)([^/]+)/',
    never: '^(functions/(?!$1/)|agent/|cli/|dashboard/|infra/|localstack/|test/)',
    breaks: ['functions/plan/handle-hint.ts', 'functions/publish/scope.ts'],
  },
  {
    name: 'stages do not know adapters',
    comment: 'Take the port as a dependency; the entry or localstack/ chooses the adapter.',
    from: '^functions/(?!entry/)',
    never: '^(shared/adapters/|npm:(@aws-sdk|@azure|isomorphic-git|pino|prom-client|@kubernetes))',
    breaks: ['functions/render/handle-render-job.ts', 'shared/adapters/render/renderer.ts'],
  },
  {
    name: 'the agent knows no cloud',
    comment: 'One agent for every platform: it speaks to a hub (agent/hub), and to its cluster.',
    from: '^agent/(?!hub/)',
    never: '^(shared/(adapters|state)/|functions/|cli/|dashboard/|infra/|localstack/|test/|npm:(@aws-sdk|@azure))',
    breaks: ['agent/loop.ts', 'shared/state/heads.ts'],
  },
  {
    name: 'the direct hub knows ports, not clouds',
    comment:
      'What reads rows and queues takes them as ports; agent/hub/aws-*.ts makes them, and is loaded only when used.',
    from: '^agent/hub/(?!aws-)',
    never: '^(shared/adapters/|functions/|cli/|dashboard/|infra/|localstack/|test/|npm:(@aws-sdk|@azure))',
    breaks: ['agent/hub/direct-hub.ts', 'npm:@aws-sdk/client-dynamodb'],
  },
  {
    name: 'a cloud of the agent is one cloud',
    comment: 'agent/hub/aws-*.ts puts the AWS adapters together for the direct hub, and nothing else.',
    from: '^agent/hub/aws-',
    never: '^(shared/adapters/(?!aws/)|functions/|cli/|dashboard/|infra/|localstack/|test/|npm:@azure)',
    breaks: ['agent/hub/aws-hub.ts', 'shared/adapters/embedded/database.ts'],
  },
  {
    name: 'one folder speaks Kubernetes',
    comment: 'Go through agent/cluster: whole, the client costs 50 MB, and its types must not spread.',
    from: '^(?!agent/cluster/)(shared|functions|agent|cli|dashboard|infra|localstack)/',
    never: '^npm:@kubernetes/client-node$',
    breaks: ['agent/reconcile/deps.ts', 'npm:@kubernetes/client-node'],
  },
  {
    name: 'the agent decides before it acts',
    comment:
      'agent/cluster carries out requests; what should be done is decided in agent/reconcile, which hands plain data over.',
    from: '^agent/cluster/',
    never: '^agent/(?!cluster/|chart/)',
    breaks: ['agent/cluster/apply.ts', 'agent/reconcile/decide.ts'],
  },
  {
    name: 'the dashboard is a client',
    comment: 'It shows what the API says, in a browser: no Node modules, no server code.',
    from: '^dashboard/',
    only: '^(dashboard/|shared/(domain|messages)/|shared/errors\\.ts|npm:(react|react-dom|wouter|@tanstack/react-query|yaml|zod)$)',
    breaks: ['dashboard/main.tsx', 'node:fs'],
  },
  {
    name: 'the command line is a client',
    comment: "It does what the API and the local renderer offer; it never opens the service's data.",
    from: '^cli/',
    never:
      '^(shared/(state|adapters/(?!render/|git/|observe/))|functions/(?!api/|plan/)|agent/|dashboard/|infra/|localstack/|test/)',
    breaks: ['cli/main.ts', 'shared/adapters/embedded/database.ts'],
  },
  {
    name: 'tests are imported by nobody',
    comment: 'What ships must not need test/. Move the helper to the area that owns it.',
    from: '^(shared|functions|agent|cli|dashboard|infra|localstack)/',
    never: '^test/',
    breaks: ['localstack/service.ts', 'test/kit/temp.ts'],
  },
  {
    name: 'the local stack is imported by tests only',
    comment: 'localstack/ puts everything together, so nothing that it puts together may know it.',
    from: '^(shared|functions|agent|cli|dashboard|infra)/',
    never: '^localstack/',
    breaks: ['cli/main.ts', 'localstack/run-file.ts'],
  },
  {
    name: 'build tools do not ship',
    comment: 'Bundlers, test tools and the browser driver belong to infra/build and test/.',
    from: '^(shared|functions|agent|cli|dashboard|localstack)/',
    never: '^npm:(vite|vitest|esbuild|fast-check|playwright-core|tinybench|@vitejs/plugin-react|typescript)$',
    breaks: ['localstack/builds.ts', 'npm:esbuild'],
  },
];

/** Composition roots: the only places that read the environment. */
export const mayReadEnvironment = /^(agent\/main\.ts|cli\/|localstack\/|infra\/|functions\/entry\/|test\/)/;

/** Where a tool asks for a default export. */
export const mayExportDefault = /^(test\/vitest\.config\.ts|test\/runner\/reporter\.ts|functions\/entry\/azure\/)/;

/** What a rule says against an import; undefined where nothing. */
export function judgeImport(rule: Rule, from: string, to: string): string | undefined {
  const match = new RegExp(rule.from).exec(from);
  if (match === null) return undefined;
  const fill = (pattern: string) => new RegExp(pattern.replaceAll('$1', match[1] ?? ''));
  const allowed = rule.only === undefined || fill(rule.only).test(to);
  const forbidden = rule.never !== undefined && fill(rule.never).test(to);
  return allowed && !forbidden ? undefined : `${from} imports ${to}: ${rule.name}. ${rule.comment}`;
}
