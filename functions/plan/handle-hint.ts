import { HawserError, messageOf } from '#shared/errors.ts';
import type { Hint } from '#shared/messages/hint.ts';
import type { GitTree, RepositoryAccess } from '#shared/ports/git-source.ts';
import { getApplications, getRepository } from '#shared/state/registry.ts';
import { repositoryAccess } from '#shared/state/repository-access.ts';
import { takeTicket } from '#shared/state/heads.ts';
import { allApplications, applicationsReading } from './closure-index.ts';
import {
  claimCommit,
  forgetHeadRef,
  forgetWaiting,
  listHeadRefs,
  readHeadRef,
  recordTrouble,
  releaseClaim,
  settleCommit,
  type Claim,
  type SelectorOf,
} from './head-ref.ts';
import { planApplications } from './plan-applications.ts';
import { explain, type PlanDeps } from './plan-context.ts';
import { normaliseSelector, selectorsOf } from './selector.ts';

/** How long a plan that is at the very same commit is given before it is looked after. */
const busySeconds = 5;
/** Sources of an application in another repository that could not be read are tried again after so long. */
const otherSourceSeconds = 60;

/**
 * A repository may have moved, or some of its applications were declared anew: works out which applications' inputs
 * changed and asks for their renders. The ticket is taken before anything is read (INV-05).
 */
export function createPlanHandler(deps: PlanDeps): (hint: Hint) => Promise<void> {
  return async function handleHint(hint) {
    const { organisation } = hint;
    const repository = await getRepository(deps.store, organisation, hint.repository);
    if (repository === undefined) {
      deps.log.warn(
        { organisation, repository: hint.repository, trace: hint.trace },
        'hint for a repository that is not registered',
      );
      return;
    }
    const ticket = await takeTicket(deps.store, organisation);
    const access = await repositoryAccess(deps, organisation, repository);
    const asked = await selectorsOf(deps.store, organisation, repository.id, hint.applications ?? []);
    const known = await listHeadRefs(deps.store, organisation, repository.id);
    const waiting = new Map(known.map((row) => [row.value.selector, row.value.waiting]));
    const selectors = new Set([...known.map((row) => row.value.selector), ...asked.keys()]);
    const retries = await Promise.all(
      [...selectors].map((selector) =>
        planSelector(deps, {
          hint,
          ticket,
          access,
          selector,
          asked: asked.get(selector) ?? new Set(),
          waiting: new Set(waiting.get(selector)),
        }),
      ),
    );
    // One retry for all selectors: each hint begets one hint at most, however many selectors are in trouble.
    const delays = retries.filter((delay) => delay !== undefined);
    if (delays.length === 0) return;
    const again: Hint = { ...hint, reason: 'retry', at: isoNow(deps) };
    await deps.hints.send([JSON.stringify(again)], { delaySeconds: Math.min(...delays), group: organisation });
  };
}

interface SelectorPlan {
  hint: Hint;
  ticket: number;
  access: RepositoryAccess;
  selector: string;
  /** Applications that the hint names and that read from this selector. */
  asked: Set<string>;
  /** Applications that were asked for when the selector could not be read. */
  waiting: Set<string>;
}

/** Plans one selector; the answer is after how many seconds to try again, undefined where that is not needed. */
async function planSelector(deps: PlanDeps, plan: SelectorPlan): Promise<number | undefined> {
  const where = { organisation: plan.hint.organisation, repository: plan.access.repository, selector: plan.selector };
  const claimant = { ticket: plan.ticket, hint: `${plan.hint.trace} ${plan.hint.at}`, now: deps.clock.now() };
  let commit: string;
  try {
    commit = (await deps.git.resolve(plan.access, plan.selector)).commit;
  } catch (error) {
    return noteTrouble(deps, plan, where, error);
  }
  const claim = await claimCommit(deps.store, where, claimant, commit);
  if (claim.healed) tellPages(deps, where);
  if (plan.asked.size === 0 && plan.waiting.size === 0) {
    if (claim.outcome === 'busy') return busySeconds;
    if (claim.outcome === 'unmoved' || claim.outcome === 'superseded') return undefined;
  }
  if (claim.outcome === 'superseded') {
    // Somebody has read the ref after us: what was asked of us must be read at least as late.
    return planSelector(deps, { ...plan, ticket: await takeTicket(deps.store, where.organisation) });
  }
  try {
    await planClaim(deps, plan, where, claim, commit);
  } catch (error) {
    // The claim stays open, so the retry looks at the same way again.
    await releaseClaim(deps.store, where, plan.ticket);
    if (!isSourceTrouble(error)) throw error;
    return noteTrouble(deps, plan, where, error);
  }
  if (plan.waiting.size > 0) await forgetWaiting(deps.store, where, plan.waiting);
  if (claim.outcome === 'claimed' || claim.outcome === 'first') await settleCommit(deps.store, where, claimant, commit);
  return undefined;
}

/** Plans what the way to the claimed commit touches, and what was asked for. */
async function planClaim(
  deps: PlanDeps,
  plan: SelectorPlan,
  where: SelectorOf,
  claim: Claim,
  commit: string,
): Promise<void> {
  const started = deps.clock.monotonic();
  if (claim.outcome === 'claimed') await openBefore(deps, plan, claim.from);
  const tree = await deps.git.open(plan.access, commit);
  const candidates = await candidatesOf(deps, plan, where, claim, tree);
  const planned = await planCandidates(deps, plan, where, { claim, tree, candidates });
  deps.metrics.observe('plan_seconds', (deps.clock.monotonic() - started) / 1000);
  deps.log.info(
    { ...where, commit, ticket: plan.ticket, candidates: candidates.size, ...planned, trace: plan.hint.trace },
    'planned',
  );
}

/**
 * The commits where the way begins, first: an instance that has seen neither end fetches one tree and a difference, and knows
 * what the push touched. One that the host no longer has (a force push) is no trouble: then everything is looked at.
 */
async function openBefore(deps: PlanDeps, plan: SelectorPlan, commits: readonly string[]): Promise<void> {
  for (const commit of commits) {
    try {
      if (commit !== '') await deps.git.open(plan.access, commit);
    } catch (error) {
      if (!isSourceTrouble(error)) throw error;
      deps.log.info(
        { repository: plan.access.repository, commit, reason: messageOf(error) },
        'cannot read the old commit',
      );
    }
  }
}

function isSourceTrouble(error: unknown): boolean {
  return error instanceof HawserError && /^(repository|revision|source)-/.test(error.code);
}

async function candidatesOf(
  deps: PlanDeps,
  plan: SelectorPlan,
  where: SelectorOf,
  claim: Claim,
  tree: GitTree,
): Promise<Set<string>> {
  const candidates = plan.asked.union(plan.waiting);
  if (claim.outcome !== 'claimed') return candidates;
  const paths = new Set<string>();
  for (const commit of claim.from) {
    const changed = commit === '' ? undefined : await deps.git.changedPaths(plan.access, commit, tree);
    if (changed === undefined) return candidates.union(await allApplications(deps.store, where));
    for (const path of changed) paths.add(path);
  }
  return candidates.union(await applicationsReading(deps.store, where, [...paths]));
}

async function planCandidates(
  deps: PlanDeps,
  plan: SelectorPlan,
  where: SelectorOf,
  { claim, tree, candidates }: { claim: Claim; tree: GitTree; candidates: Set<string> },
): Promise<{ renders: number; reused: number; unchanged: number; failed: number }> {
  const { relisted, unread, ...counts } = await planApplications(deps, {
    organisation: where.organisation,
    ticket: plan.ticket,
    trace: plan.hint.trace,
    initiatedBy: plan.hint.reason,
    at: { repository: where.repository, selector: where.selector, tree },
    candidates: [...candidates],
  });
  // Who claimed meanwhile read the index before it held what these applications read by now, and may have missed them.
  if (relisted.length > 0 && (await wasOvertaken(deps, where, claim.seen))) await ask(deps, plan, relisted, 0);
  if (unread.length > 0) await ask(deps, plan, unread, otherSourceSeconds);
  return counts;
}

async function wasOvertaken(deps: PlanDeps, where: SelectorOf, seen: number): Promise<boolean> {
  const row = await readHeadRef(deps.store, where.organisation, where.repository, where.selector);
  return row?.value.ticket !== seen;
}

/** Asks for a plan of these applications, with a ticket of its own. */
async function ask(deps: PlanDeps, plan: SelectorPlan, applications: string[], delaySeconds: number): Promise<void> {
  const bodies: string[] = [];
  for (let start = 0; start < applications.length; start += 250) {
    const hint: Hint = {
      ...plan.hint,
      reason: 'retry',
      applications: applications.slice(start, start + 250),
      at: isoNow(deps),
    };
    bodies.push(JSON.stringify(hint));
  }
  await deps.hints.send(bodies, { delaySeconds, group: plan.hint.organisation });
}

/**
 * Trouble with the source is shown on every application that reads it (the API joins it in) and costs one write,
 * not one per application. What may pass by itself is tried again later, with growing waits; polling goes on in any case.
 */
async function noteTrouble(
  deps: PlanDeps,
  plan: SelectorPlan,
  where: SelectorOf,
  error: unknown,
): Promise<number | undefined> {
  const code = error instanceof HawserError ? error.code : 'internal';
  const message = error instanceof HawserError ? explain(error) : messageOf(error);
  deps.log.warn({ ...where, code, reason: message, trace: plan.hint.trace }, 'cannot read the source');
  deps.metrics.count('source_errors_total', { code });
  if (code === 'revision-not-found' && plan.asked.size === 0 && !(await isRead(deps, where))) {
    await forgetHeadRef(deps.store, where);
    return undefined;
  }
  const { asked, ticket } = plan;
  const failures = await recordTrouble(deps.store, where, { code, message, asked, ticket }, isoNow(deps));
  if (failures === 1) tellPages(deps, where);
  // One chain of retries at most: only a first failure or an own retry continues it; polls and pushes do not start others.
  const continues = failures === 1 || plan.hint.reason === 'retry' || plan.asked.size > 0;
  return continues ? Math.min(300, 5 * 2 ** Math.min(failures - 1, 6)) : undefined;
}

/** Trouble with a source has come or gone: all applications that read it look different. */
function tellPages(deps: PlanDeps, { organisation, repository }: SelectorOf): void {
  deps.bell.ring(`organisation:${organisation}`, `source:${repository}`);
}

/** Whether an application still reads from the selector. */
async function isRead(deps: PlanDeps, where: SelectorOf): Promise<boolean> {
  const row = await readHeadRef(deps.store, where.organisation, where.repository, where.selector);
  const listed = [...(await allApplications(deps.store, where)).union(new Set(row?.value.waiting))];
  return (await getApplications(deps.store, where.organisation, listed)).some((application) =>
    application.sources.some(
      (source) => source.repository === where.repository && normaliseSelector(source.revision) === where.selector,
    ),
  );
}

function isoNow(deps: PlanDeps): string {
  return new Date(deps.clock.now()).toISOString();
}
