import { gunzipSync } from 'node:zlib';
import { HawserError, messageOf } from '#shared/errors.ts';
import { sha256 } from '#shared/domain/digest.ts';
import type { SignedRoot, SnapshotRoot } from '#shared/domain/snapshot.ts';
import { verifyContents, verifyRoot } from '#shared/domain/verify-snapshot.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { Assignment } from '#shared/ports/hub.ts';
import type { Log } from '#shared/ports/log.ts';
import type { Applications } from './applications.ts';
import type { ChunkFetcher } from './chunk-fetcher.ts';
import { newRuntime, restoreRuntime, type VerifiedSnapshot } from './reconcile/accept-root.ts';
import { indexDesired } from './reconcile/desired.ts';
import { newestGeneration, setCondition, type AppRuntime } from './reconcile/runtime.ts';
import type { Renewals } from './report/renewals.ts';
import { pack, unpackText } from './state/pack.ts';
import type { AppState } from './state/record.ts';
import type { StoredVersion } from './state/state-store.ts';

/** Who this agent is: what every root must be bound to. */
export interface Identity {
  organisation: string;
  cluster: string;
  /** SPKI DER, base64. */
  rootKey: string;
}

/** Turns what the hub hands out into applications, after verifying all of it. */
export interface Intake {
  /**
   * Takes assignments in; resolves once each is accepted or refused, with those that a later try may cure. Never throws
   * for a bad one: it hurts only itself.
   */
  take(assignments: readonly Assignment[]): Promise<Assignment[]>;
  /** An application as it was stored in the cluster. */
  restore(state: AppState, version: StoredVersion): void;
}

export interface IntakeDeps {
  identity: Identity;
  applications: Applications;
  fetcher: ChunkFetcher;
  /** Told of roots that came with a certificate that has ended. */
  renewals: Pick<Renewals, 'note' | 'settle'>;
  /** The service should hear of that soon. */
  renew(): void;
  clock: Clock;
  log: Log;
}

/** Creates the intake. */
export function createIntake(deps: IntakeDeps): Intake {
  const { applications, log } = deps;
  /** Newest generation that is being fetched, by application: an older answer must not overtake it. */
  const fetching = new Map<string, number>();

  async function takeOne(assignment: Assignment): Promise<void> {
    const { application } = assignment;
    const known = applications.all.get(application);
    // What is held already was verified when it was taken: its certificate may have ended since.
    if (isHeld(known, sha256(assignment.root.root))) return deps.renewals.settle(application);
    const held = Math.max(known === undefined ? 0 : newestGeneration(known), fetching.get(application) ?? 0);
    const root = verify(deps, assignment.root, { application, generation: known?.record.generation ?? 0, kept: false });
    deps.renewals.settle(application);
    if (root.generation <= held) {
      const other =
        known?.record.generation === root.generation && known.record.rootDigest !== sha256(assignment.root.root);
      if (other)
        log.warn({ application, generation: root.generation }, 'another root of the same generation was refused');
      return;
    }
    fetching.set(application, root.generation);
    try {
      const chunks = await fetchChunks(root, known?.chunks);
      if (fetching.get(application) !== root.generation) return;
      accept(snapshotOf(root, assignment.root, pack(JSON.stringify(assignment.root)), chunks));
    } finally {
      if (fetching.get(application) === root.generation) fetching.delete(application);
    }
  }

  async function fetchChunks(
    root: SnapshotRoot,
    held: ReadonlyMap<string, Buffer> | undefined,
  ): Promise<Map<string, Buffer>> {
    const lacking = root.chunks.filter((digest) => held?.has(digest) !== true);
    const bytes = (root.totalBytes * lacking.length) / Math.max(1, root.chunks.length);
    const fetched = await deps.fetcher.fetch(lacking, bytes);
    const texts = new Map<string, Uint8Array>();
    const packed = new Map<string, Buffer>();
    for (const digest of root.chunks) {
      const kept = held?.get(digest);
      const text = fetched.get(digest) ?? (kept === undefined ? undefined : gunzipSync(kept));
      if (text === undefined)
        throw new HawserError('unavailable', `the hub does not have chunk ${digest} of ${root.application}`, {
          retry: 'later',
        });
      texts.set(digest, text);
      packed.set(digest, kept ?? pack(text));
    }
    verifyContents(root, texts);
    return packed;
  }

  function accept(snapshot: VerifiedSnapshot): void {
    const known = applications.all.get(snapshot.root.application);
    if (known === undefined) {
      applications.put(newRuntime(snapshot));
      return;
    }
    if (snapshot.root.generation > newestGeneration(known)) applications.offer(known, snapshot);
  }

  function refuse(assignment: Assignment, error: unknown): boolean {
    if (hasEnded(assignment, error) && !inVain(assignment, error)) return false;
    const later = error instanceof HawserError && error.retry === 'later';
    log[later ? 'warn' : 'error'](
      { application: assignment.application, reason: messageOf(error) },
      'an assignment was not taken',
    );
    const known = applications.all.get(assignment.application);
    if (known !== undefined && !later) {
      setCondition(known, 'ComparisonError', messageOf(error), deps.clock.now());
      applications.wake(known.id);
    }
    return later;
  }

  /** The one refusal that a newer signature cures. */
  function hasEnded({ root }: Assignment, error: unknown): boolean {
    const isTime = error instanceof HawserError && error.data['reason'] === 'certificate-time';
    return isTime && Date.parse(root.certificate.notAfter) < deps.clock.now();
  }

  /** The service is asked to sign it again; only who has asked often enough complains. */
  function inVain({ application }: Assignment, error: unknown): boolean {
    const isInVain = deps.renewals.note(application);
    log.info({ application, reason: messageOf(error) }, 'the root is old: asking for a newer signature');
    deps.renew();
    return isInVain;
  }

  return {
    async take(assignments) {
      const open: Assignment[] = [];
      await Promise.all(
        assignments.map((assignment) =>
          takeOne(assignment).catch((error: unknown) => {
            if (refuse(assignment, error)) open.push(assignment);
          }),
        ),
      );
      return open;
    },
    restore(state, version) {
      const { record, packedRoot, chunks } = state;
      const signed = JSON.parse(unpackText(packedRoot)) as SignedRoot;
      const root = verify(deps, signed, { application: record.application, generation: record.generation, kept: true });
      // Damaged in the cluster (FT-55): refused here, and fetched again as soon as the hub answers.
      verifyContents(root, new Map([...chunks].map(([digest, packed]) => [digest, gunzipSync(packed)])));
      applications.put(restoreRuntime(snapshotOf(root, signed, packedRoot, chunks), record, version));
    },
  };
}

/** True for the very root that an application has, taken in or about to be. */
function isHeld(app: AppRuntime | undefined, digest: string): boolean {
  return app !== undefined && (app.incoming?.rootDigest ?? app.record.rootDigest) === digest;
}

function snapshotOf(
  root: SnapshotRoot,
  signed: SignedRoot,
  packedRoot: Buffer,
  chunks: Map<string, Buffer>,
): VerifiedSnapshot {
  return { root, packedRoot, rootDigest: sha256(signed.root), chunks, desired: indexDesired(root, chunks) };
}

function verify(
  deps: IntakeDeps,
  signed: SignedRoot,
  expected: { application: string; generation: number; kept: boolean },
): SnapshotRoot {
  const { organisation, cluster, rootKey } = deps.identity;
  return verifyRoot(signed, {
    organisation,
    cluster,
    rootPublicKey: rootKey,
    application: expected.application,
    appliedGeneration: expected.generation,
    now: deps.clock.now(),
    kept: expected.kept,
  });
}
