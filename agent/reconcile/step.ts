import { HawserError, isRetryable } from '#shared/errors.ts';
import { parseKey } from '#shared/domain/kube-object.ts';
import type { SnapshotRoot } from '#shared/domain/snapshot.ts';
import type { AppRecord } from '../state/record.ts';
import type { AgentStateStore } from '../state/state-store.ts';
import { acceptSnapshot } from './accept-root.ts';
import { applyTasks, failTransient } from './apply-tasks.ts';
import { compareUnapplied, correctDrift, verifySuspects } from './corrections.ts';
import { decide } from './decide.ts';
import { confirmGone, deleteHooks, deleteOrdered } from './delete-objects.ts';
import type { ReconcileDeps } from './deps.ts';
import { correctAt, fightsOf } from './fights.ts';
import type { Decision, Facts } from './model.ts';
import { pruneExtras } from './prune.ts';
import type { PruneDeps } from './prune-input.ts';
import { addEvent, setCondition, type AppRuntime } from './runtime.ts';

export interface StepDeps extends ReconcileDeps, PruneDeps {
  store: AgentStateStore;
  isComplete(app: AppRuntime): boolean;
  /** See `Facts`. */
  patientUntil: number;
  unmetOf(app: AppRuntime): string[];
  /** Something that people see may have changed; `soon` false where it will change again in a moment. */
  changed(app: AppRuntime, soon: boolean): void;
  /** An application's state was dropped after a deletion order. */
  forgotten(app: AppRuntime): void;
}

/** When to look again, ms since 1970; absent: when something happens. */
export interface StepResult {
  until?: number;
}

/** More decisions than any application needs without waiting; past it something is wrong and the worker is given back. */
const decisionsPerTurn = 500;

/**
 * One turn of one application: decides and acts until it has to wait. May be left at any point (a crash, an error):
 * the next turn decides from what is persisted and observed.
 */
export async function takeTurn(deps: StepDeps, app: AppRuntime): Promise<StepResult> {
  for (let n = 0; n < decisionsPerTurn; n += 1) {
    takeIncoming(deps, app);
    const facts = factsOf(deps, app);
    const decision = decide(facts);
    if (decision.do === 'wait') return rest(deps, app, decision);
    await carryOut(deps, app, decision);
    if (app.deleted) return {};
  }
  throw new HawserError('internal', `${app.id} did not come to rest`, { retry: 'later' });
}

function takeIncoming(deps: StepDeps, app: AppRuntime): void {
  const { incoming } = app;
  if (incoming === undefined || endsFirst(app, incoming.root)) return;
  delete app.incoming;
  acceptSnapshot(app, incoming, deps.clock.now());
  setCondition(app, 'ComparisonError', undefined, deps.clock.now());
}

/**
 * Where nothing is applied unasked, what somebody has asked for is brought to its end before a push counts: the push is applied
 * by nobody, and what was asked for would be left half done (as in Argo CD: an operation keeps its revision). Once it has failed,
 * a newer generation may be the remedy; and what else somebody orders meanwhile comes at once.
 */
function endsFirst({ record, root }: AppRuntime, next: SnapshotRoot): boolean {
  const { operation } = record;
  if (operation?.phase !== 'Running' || operation.sync === undefined || operation.generation !== root.generation)
    return false;
  if (operation.failure !== undefined || operation.retryCount > 0) return false;
  const isOrder = next.deletion !== undefined || next.policy.suspended || next.policy.automated;
  return !isOrder && (next.sync === undefined || next.sync.id === operation.sync);
}

/** What a decision about this application looks at, now. */
export function factsOf(deps: StepDeps, app: AppRuntime): Facts {
  return {
    now: deps.clock.now(),
    root: app.root,
    desired: app.desired,
    record: app.record,
    saved: app.saved,
    observed: app.observed,
    comparisons: app.comparisons,
    complete: deps.isComplete(app),
    patientUntil: deps.patientUntil,
    unmet: deps.unmetOf(app),
    correctAt: (key) => (app.shared.has(key) ? Infinity : correctAt(app, key, deps.clock.now())),
  };
}

async function carryOut(deps: StepDeps, app: AppRuntime, decision: Exclude<Decision, { do: 'wait' }>): Promise<void> {
  switch (decision.do) {
    case 'save':
      await save(deps, app, decision);
      return;
    case 'keep':
      app.record = decision.record;
      return;
    case 'apply':
      failTransient(deps, app, decision.tasks);
      return applyTasks(deps, app, decision.tasks);
    case 'delete-hooks':
      return deleteHooks(deps, app, decision.keys);
    case 'prune':
      return pruneExtras(deps, app, decision.keys);
    case 'verify':
      await verifySuspects(deps, app, decision.keys);
      return deps.changed(app, true);
    case 'correct':
      await correctDrift(deps, app, decision.keys);
      noteFights(deps, app);
      return deps.changed(app, true);
    case 'compare':
      await compareUnapplied(deps, app, decision.keys);
      return deps.changed(app, true);
    case 'delete':
      return deleteOrdered(deps, app, decision.keys);
    case 'confirm-gone':
      return confirmGone(deps, app, decision.keys);
    case 'forget':
      await deps.store.drop(app.id);
      app.deleted = true;
      deps.forgotten(app);
      return;
  }
}

async function save(deps: StepDeps, app: AppRuntime, decision: Extract<Decision, { do: 'save' }>): Promise<void> {
  await persist(deps, app, decision.record);
  const { operation } = decision.record;
  if (decision.event !== undefined && operation !== undefined) {
    const reason = { started: 'OperationStarted', finished: 'OperationCompleted', failed: 'OperationFailed' }[
      decision.event
    ];
    const message = decision.event === 'started' ? `sync to ${operation.revision}` : operation.message;
    addEvent(app, deps.clock.now(), { reason, message, type: decision.event === 'failed' ? 'Warning' : 'Normal' });
    const failed = operation.phase === 'Failed' ? `Failed last sync attempt: ${operation.message}` : undefined;
    setCondition(app, 'SyncError', failed, deps.clock.now());
  }
  deps.changed(app, decision.event !== 'started');
}

type PersistDeps = Pick<StepDeps, 'store' | 'log' | 'owners' | 'watch'>;

/**
 * Writes a record, which then is the application's; with the snapshot where the stored one is older. Another writer's state is
 * taken in, never overwritten (INV-18).
 */
export async function persist(deps: PersistDeps, app: AppRuntime, record: AppRecord = app.record): Promise<void> {
  const state = { record, packedRoot: app.packedRoot, chunks: app.chunks };
  try {
    app.version = await deps.store.save(state, app.version, !app.saved);
    app.record = record;
    app.saved = true;
    app.uidsChanged = false;
  } catch (error) {
    if (error instanceof HawserError && error.code === 'conflict') await takeOver(deps, app);
    throw error;
  }
}

/**
 * Somebody else wrote (or removed) the state: go on from it. What either side owns stays in the inventory; what only the other
 * side has applied is applied again, for nothing was observed of it here.
 */
async function takeOver(deps: PersistDeps, app: AppRuntime): Promise<void> {
  const loaded = await deps.store.load(app.id);
  deps.log.warn(
    { application: app.id, found: loaded !== undefined },
    'the stored state changed under us; going on from it',
  );
  app.version = loaded === undefined ? undefined : { ...loaded.version, rewrite: true };
  app.saved = false;
  if (loaded?.state === undefined) return;
  const inventory = new Map(app.record.inventory);
  for (const [key, entry] of loaded.state.record.inventory) {
    if (inventory.has(key)) continue;
    inventory.set(key, { ...entry, digest: '' });
    deps.owners.claim(key, app.id);
    const { group, kind, namespace } = parseKey(key);
    deps.watch(group, kind, entry.version, namespace);
  }
  app.record = { ...app.record, inventory };
}

function noteFights(deps: StepDeps, app: AppRuntime): void {
  const now = deps.clock.now();
  const fights = fightsOf(app, now);
  const message =
    fights.length === 0
      ? undefined
      : `somebody keeps changing back: ${fights.slice(0, 10).join(', ')}; corrections are paused`;
  if (setCondition(app, 'Fight', message, now) && message !== undefined)
    addEvent(app, now, { type: 'Warning', reason: 'Fight', message });
}

async function rest(deps: StepDeps, app: AppRuntime, decision: Extract<Decision, { do: 'wait' }>): Promise<StepResult> {
  const { operation } = app.record;
  const now = deps.clock.now();
  const blocked = deps.unmetOf(app).length > 0 && operation?.generation !== app.root.generation;
  setCondition(app, 'DependencyNotReady', blocked ? decision.message : undefined, now);
  setCondition(app, 'DeletionError', decision.problem === true ? decision.message : undefined, now);
  if (decision.message !== undefined && operation?.phase === 'Running') {
    app.record = { ...app.record, operation: { ...operation, message: decision.message } };
  }
  if (app.uidsChanged === true && operation?.phase !== 'Running') await persist(deps, app);
  noteShared(app, now);
  setCondition(app, 'NeedsConfirmation', app.record.hold?.reason, now);
  deps.changed(app, true);
  return decision.until === undefined ? {} : { until: decision.until };
}

function noteShared(app: AppRuntime, now: number): void {
  const results = Object.values(app.record.operation?.results ?? {});
  const messages = results.filter((result) =>
    app.shared.has(`${result.group}/${result.kind}/${result.namespace}/${result.name}`),
  );
  const message =
    app.shared.size === 0
      ? undefined
      : messages
          .map((result) => result.message)
          .slice(0, 10)
          .join('; ') || [...app.shared].slice(0, 10).join('; ');
  setCondition(app, 'SharedResourceWarning', message, now);
}

/** How long to wait after a turn that threw. */
export function turnBackOff(error: unknown, failures: number, random: () => number): number {
  const longest = isRetryable(error) ? 30_000 : 120_000;
  return Math.min(longest, 250 * 2 ** failures) * (0.5 + random() / 2);
}
