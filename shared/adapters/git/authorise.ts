import { codecommitRegion } from '../../domain/repository-url.ts';
import { HawserError } from '../../errors.ts';
import type { RepositoryAccess } from '../../ports/git-source.ts';
import type { AppTokens } from './github-app.ts';

/** Makes the user and password of one CodeCommit address; on AWS from the role of the function. */
export type CodeCommitLogin = (url: URL) => Promise<{ username: string; password: string }>;

/** Says with which header a repository is asked for over http. */
export interface Authoriser {
  /** Throws `repository-auth-failed` where the credentials cannot be used at `url`. */
  headers(access: RepositoryAccess, url: URL): Promise<Record<string, string>>;
  /** The host refused: what was made for this repository and kept is thrown away. */
  refused(access: RepositoryAccess): void;
}

export function createAuthoriser(deps: { appTokens: AppTokens; codecommit?: CodeCommitLogin }): Authoriser {
  return {
    async headers(access, url) {
      const { credentials } = access;
      switch (credentials?.kind) {
        case undefined:
          return {};
        case 'basic':
          return basic(credentials.username ?? 'git', credentials.password);
        case 'bearer':
          return { authorization: `Bearer ${credentials.token}` };
        case 'github-app':
          return basic('x-access-token', await deps.appTokens.tokenFor(access, credentials, url));
        case 'codecommit': {
          const { username, password } = await codecommitLogin(deps.codecommit, url);
          return basic(username, password);
        }
        default:
          throw new HawserError('repository-auth-failed', 'An SSH key is stored for an address that is not of ssh', {
            hint: 'Register the repository by its ssh address, or store a token for the https one.',
          });
      }
    },
    refused(access) {
      if (access.credentials?.kind === 'github-app') deps.appTokens.forget(access, access.credentials);
    },
  };
}

function basic(username: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}

/** What is signed with the function's role goes to CodeCommit only (NT-26). */
function codecommitLogin(
  login: CodeCommitLogin | undefined,
  url: URL,
): Promise<{ username: string; password: string }> {
  if (codecommitRegion(url.href) === undefined) {
    throw new HawserError('repository-auth-failed', `${url.host} is not CodeCommit: the IAM role does not open it`, {
      hint: 'Use https://git-codecommit.REGION.amazonaws.com/v1/repos/NAME.',
    });
  }
  if (login !== undefined) return login(url);
  throw new HawserError('repository-auth-failed', 'There is no IAM role here to read CodeCommit with', {
    hint: 'Read it from a service on AWS, or store Git credentials of an IAM user with --username and --password.',
  });
}
