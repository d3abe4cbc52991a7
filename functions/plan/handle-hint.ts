import { HawserError, messageOf } from '#shared/errors.ts';
import type { Hint } from '#shared/messages/hint.ts';
import type { GitTree, RepositoryAccess } from '#shared/ports/git-source.ts';
import { getRepository, repositoryAccess } from '#shared/state/registry.ts';
import { takeTicket } from '#shared/state/heads.ts';
import { allApplications, applicationsReading } from './closure-index.ts';
import { claimCommit, listHeadRefs, recordTrouble, settleCommit } from './head-ref.ts';
import { planApplications } from './plan-applications.ts';
import type { PlanDeps } from './plan-context.ts';
import { selectorsOf } from './selector.ts';

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
    const access = await repositoryAccess(deps.secrets, organisation, repository);
    const asked = await selectorsOf(deps.store, organisation, repository.id, hint.applications ?? []);
    const known = await listHeadRefs(deps.store, organisation, repository.id);
    const selectors = new Set([...known.map((row) => row.value.selector), ...asked.keys()]);
    await Promise.all(
      [...selectors].map((selector) =>
        planSelector(deps, { hint, ticket, access, selector, asked: asked.get(selector) ?? new Set() }),
      ),
    );
  };
}

interface SelectorPlan {
  hint: Hint;
  ticket: number;
  access: RepositoryAccess;
  selector: string;
  /** Applications that the hint names and that read from this selector. */
  asked: Set<string>;
}

async function planSelector(deps: PlanDeps, plan: SelectorPlan): Promise<void> {
  const where = { organisation: plan.hint.organisation, repository: plan.access.repository, selector: plan.selector };
  const started = deps.clock.monotonic();
  let tree: GitTree;
  let commit: string;
  try {
    commit = (await deps.git.resolve(plan.access, plan.selector)).commit;
  } catch (error) {
    await noteTrouble(deps, plan, error);
    return;
  }
  const claim = await claimCommit(deps.store, where, plan.ticket, commit, isoNow(deps));
  if (plan.asked.size === 0 && (claim.outcome === 'unmoved' || claim.outcome === 'superseded')) return;
  const candidates = new Set(plan.asked);
  try {
    tree = await deps.git.open(plan.access, commit);
    if (claim.outcome === 'claimed') {
      for (const application of await touched(deps, plan, where, claim.from, tree)) candidates.add(application);
    }
  } catch (error) {
    // The claim stays open, so the retry looks at the same way again.
    await noteTrouble(deps, plan, error);
    return;
  }
  const planned = await planApplications(deps, {
    organisation: where.organisation,
    ticket: plan.ticket,
    trace: plan.hint.trace,
    initiatedBy: plan.hint.reason,
    at: { repository: where.repository, selector: where.selector, tree },
    candidates: [...candidates],
  });
  if (claim.outcome === 'claimed' || claim.outcome === 'first')
    await settleCommit(deps.store, where, plan.ticket, commit);
  deps.metrics.observe('plan_seconds', (deps.clock.monotonic() - started) / 1000);
  deps.log.info(
    { ...where, commit, ticket: plan.ticket, candidates: candidates.size, ...planned, trace: plan.hint.trace },
    'planned',
  );
}

async function touched(
  deps: PlanDeps,
  plan: SelectorPlan,
  where: { organisation: string; repository: string; selector: string },
  from: string[],
  tree: GitTree,
): Promise<Set<string>> {
  const paths = new Set<string>();
  for (const commit of from) {
    const changed = commit === '' ? undefined : await deps.git.changedPaths(plan.access, commit, tree);
    if (changed === undefined) return allApplications(deps.store, where);
    for (const path of changed) paths.add(path);
  }
  return applicationsReading(deps.store, where, [...paths]);
}

/**
 * Trouble with the source is shown on every application that reads it (the API joins it in) and costs one write,
 * not one per application. What may pass by itself is tried again later, with growing waits; polling goes on in any case.
 */
async function noteTrouble(deps: PlanDeps, plan: SelectorPlan, error: unknown): Promise<void> {
  const { organisation } = plan.hint;
  const where = { organisation, repository: plan.access.repository, selector: plan.selector };
  const code = error instanceof HawserError ? error.code : 'internal';
  const message = messageOf(error);
  deps.log.warn({ ...where, code, reason: message, trace: plan.hint.trace }, 'cannot read the source');
  deps.metrics.count('source_errors_total', { code });
  const failures = await recordTrouble(deps.store, where, { code, message }, isoNow(deps));
  deps.bell.ring(`organisation:${organisation}`);
  // One chain of retries at most: only a first failure or an own retry continues it; polls and pushes do not start others.
  const continues = failures === 1 || plan.hint.reason === 'retry' || plan.asked.size > 0;
  if (!continues) return;
  const again: Hint = { ...plan.hint, reason: 'retry', at: isoNow(deps) };
  await deps.hints.send([JSON.stringify(again)], {
    delaySeconds: Math.min(300, 5 * 2 ** Math.min(failures - 1, 6)),
    group: organisation,
  });
}

function isoNow(deps: PlanDeps): string {
  return new Date(deps.clock.now()).toISOString();
}
