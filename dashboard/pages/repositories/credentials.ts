import type { RepositoryCredentials } from '#shared/domain/repository-credentials.ts';
import { credentialsMisfit } from '#shared/domain/repository-url.ts';
import type { NewRepository } from '../../api/types.ts';

/** The ways to log in that the page offers; `none` is for public repositories. */
export type Way = 'none' | 'basic' | 'bearer' | 'ssh';

export interface AccessForm {
  url: string;
  way: Way;
  username: string;
  /** The password, token or passphrase. */
  secret: string;
  privateKey: string;
  ca: string;
}

export const emptyForm: AccessForm = { url: '', way: 'none', username: '', secret: '', privateKey: '', ca: '' };

/** The ways that fit an address; all of them while there is none. */
export function waysFor(url: string, ways: readonly Way[]): Way[] {
  return ways.filter((way) => way === 'none' || url === '' || credentialsMisfit(url, way) === undefined);
}

/** What is still missing, as a sentence for the button; the service checks the rest. */
export function whyNotSend(form: AccessForm, fits: readonly Way[]): string | undefined {
  if (form.url.trim() === '') return 'Give its address first';
  if (!fits.includes(form.way)) return 'Choose how to log in';
  if (form.way === 'basic' && form.secret === '') return 'A password or token is missing';
  if (form.way === 'bearer' && form.secret === '') return 'The token is missing';
  if (form.way === 'ssh' && form.privateKey.trim() === '') return 'The private key is missing';
  return undefined;
}

/** The body that the form stands for. */
export function bodyOf(form: AccessForm): NewRepository {
  const credentials = credentialsOf(form);
  const ca = form.way === 'ssh' ? '' : form.ca.trim();
  return {
    url: form.url.trim(),
    ...(credentials === undefined ? {} : { credentials }),
    ...(ca === '' ? {} : { ca: `${ca}\n` }),
  };
}

function credentialsOf({ way, username, secret, privateKey }: AccessForm): RepositoryCredentials | undefined {
  switch (way) {
    case 'none':
      return undefined;
    case 'basic':
      return { kind: 'basic', password: secret, ...(username.trim() === '' ? {} : { username: username.trim() }) };
    case 'bearer':
      return { kind: 'bearer', token: secret };
    case 'ssh':
      return {
        kind: 'ssh',
        privateKey: `${privateKey.trim()}\n`,
        ...(secret === '' ? {} : { passphrase: secret }),
      };
  }
}

/** Which kind of Git host an address is likely to be of, among those that the service has webhooks for. */
export function likelyHost(url: string, hosts: readonly string[]): string {
  const found = marks.find(([mark]) => mark.test(url))?.[1];
  return found !== undefined && hosts.includes(found) ? found : (hosts[0] ?? 'generic');
}

const marks: readonly (readonly [RegExp, string])[] = [
  [/github/i, 'github'],
  [/gitlab/i, 'gitlab'],
  [/bitbucket\.org/i, 'bitbucket'],
  [/bitbucket/i, 'bitbucket-server'],
  [/dev\.azure\.com|visualstudio\.com/i, 'azure-devops'],
  [/gitea|forgejo|codeberg/i, 'gitea'],
  [/./, 'generic'],
];
