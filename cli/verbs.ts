import type { Command } from 'commander';
import type { Context } from './context.ts';

/** One command of `hawser`: what `--help` shows of it, and where the rest is loaded from when it is used. */
export interface Verb {
  name: string;
  summary: string;
  group: string;
  load(): Promise<{ register(command: Command, context: Context): void }>;
}

const declaring = 'Declare and look:';
const acting = 'Act:';
const administering = 'Administer:';
const other = 'Other:';

/** In the order in which help shows them. */
export const verbs: readonly Verb[] = [
  {
    name: 'apply',
    summary: 'register Argo CD and Flux objects from files',
    group: declaring,
    load: () => import('./commands/apply.ts'),
  },
  { name: 'get', summary: 'list objects, or show one', group: declaring, load: () => import('./commands/get.ts') },
  {
    name: 'diff',
    summary: 'show what differs between desired and live',
    group: declaring,
    load: () => import('./commands/diff.ts'),
  },
  {
    name: 'tree',
    summary: 'show what an application consists of',
    group: declaring,
    load: () => import('./commands/tree.ts'),
  },
  { name: 'events', summary: 'show what happened', group: declaring, load: () => import('./commands/events.ts') },
  {
    name: 'history',
    summary: 'show the generations of an application',
    group: declaring,
    load: () => import('./commands/history.ts'),
  },
  {
    name: 'render',
    summary: 'render a folder on this machine, without any service',
    group: declaring,
    load: () => import('./commands/render.ts'),
  },
  {
    name: 'sync',
    summary: 'bring applications to what Git says, now',
    group: acting,
    load: () => import('./commands/sync.ts'),
  },
  {
    name: 'wait',
    summary: 'wait until applications are healthy, synced or gone',
    group: acting,
    load: () => import('./commands/wait.ts'),
  },
  {
    name: 'refresh',
    summary: 'read the repositories of applications again',
    group: acting,
    load: () => import('./commands/refresh.ts'),
  },
  {
    name: 'rollback',
    summary: 'bring back an older generation',
    group: acting,
    load: () => import('./commands/rollback.ts'),
  },
  {
    name: 'confirm',
    summary: 'look at prunes that are held back, and let them go',
    group: acting,
    load: () => import('./commands/confirm.ts'),
  },
  {
    name: 'suspend',
    summary: 'leave applications as they are',
    group: acting,
    load: () => import('./commands/suspend.ts'),
  },
  {
    name: 'resume',
    summary: 'take care of suspended applications again',
    group: acting,
    load: () => import('./commands/resume.ts'),
  },
  { name: 'delete', summary: 'delete applications', group: acting, load: () => import('./commands/delete.ts') },
  {
    name: 'cluster',
    summary: 'add, list and remove clusters',
    group: administering,
    load: () => import('./commands/cluster.ts'),
  },
  {
    name: 'repo',
    summary: 'add, list and remove repositories',
    group: administering,
    load: () => import('./commands/repo.ts'),
  },
  {
    name: 'token',
    summary: 'list, add and revoke the tokens of people',
    group: administering,
    load: () => import('./commands/token.ts'),
  },
  {
    name: 'queues',
    summary: 'look into the queues, send dead letters again',
    group: administering,
    load: () => import('./commands/queues.ts'),
  },
  {
    name: 'doctor',
    summary: 'check everything between here and the clusters',
    group: administering,
    load: () => import('./commands/doctor.ts'),
  },
  { name: 'login', summary: 'remember a server and a token', group: other, load: () => import('./commands/login.ts') },
  { name: 'logout', summary: 'forget them', group: other, load: () => import('./commands/logout.ts') },
  {
    name: 'completion',
    summary: 'print a completion script for your shell',
    group: other,
    load: () => import('./commands/completion.ts'),
  },
  {
    name: 'version',
    summary: 'show the versions of this program and the service',
    group: other,
    load: () => import('./commands/version.ts'),
  },
];
