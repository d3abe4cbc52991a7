import { compileAppProject } from '#shared/domain/compile/app-project.ts';
import { sha256 } from '#shared/domain/digest.ts';
import type { Clock } from '#shared/ports/clock.ts';
import type { StateStore } from '#shared/ports/state-store.ts';
import { organisationKey, sortKeys } from '#shared/state/keys.ts';
import { getToken, putToken } from '#shared/state/tokens.ts';
import { newToken } from './auth.ts';

interface Deps {
  store: StateStore;
  clock: Clock;
}

/** Makes what an organisation starts with, where it is not there yet: the project `default`, which permits everything as Argo CD's does. */
export async function prepareOrganisation(store: StateStore, organisation: string): Promise<void> {
  const project = compileAppProject({
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AppProject',
    metadata: { name: 'default', namespace: 'argocd' },
    spec: {
      description: 'Permits everything, as the default project of Argo CD does; change it with `hawser apply`.',
      sourceRepos: ['*'],
      destinations: [{ server: '*', namespace: '*' }],
      clusterResourceWhitelist: [{ group: '*', kind: '*' }],
    },
  });
  await store.put(
    { partition: organisationKey(organisation), sort: sortKeys.project('default'), revision: 1, value: project },
    { absent: true },
  );
}

/**
 * Grants an admin's token, once per organisation; undefined afterwards. `again`: another one, for whoever lost the first.
 * Only puts rows, so that who prepares need not be able to read what is there.
 */
export async function grantAdmin(
  { store, clock }: Deps,
  organisation: string,
  { again = false }: { again?: boolean } = {},
): Promise<string | undefined> {
  const createdAt = new Date(clock.now()).toISOString();
  const isFirst = await store.put(
    { partition: organisationKey(organisation), sort: 'PREPARED', revision: 1, value: { at: createdAt } },
    { absent: true },
  );
  if (!isFirst && !again) return undefined;
  return grantAnother({ store, clock }, organisation);
}

/** The admin's token of a service that remembers it: the one of before if it holds, else another. What was revoked stays so. */
export async function keepAdmin(deps: Deps, organisation: string, remembered: string | undefined): Promise<string> {
  const before =
    remembered === undefined
      ? undefined
      : await getToken(deps.store, organisation, sha256(remembered), deps.clock.now());
  return before?.role === 'admin' && remembered !== undefined ? remembered : grantAnother(deps, organisation);
}

async function grantAnother({ store, clock }: Deps, organisation: string): Promise<string> {
  const token = newToken(organisation);
  const createdAt = new Date(clock.now()).toISOString();
  await putToken(store, organisation, token, { user: 'admin', role: 'admin', createdAt });
  return token;
}
