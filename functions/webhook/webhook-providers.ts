import type { Provider } from './providers/provider.ts';
import { azureDevops } from './providers/azure-devops.ts';
import { bitbucketServer } from './providers/bitbucket-server.ts';
import { bitbucket } from './providers/bitbucket.ts';
import { generic } from './providers/generic.ts';
import { gitea } from './providers/gitea.ts';
import { github } from './providers/github.ts';
import { gitlab } from './providers/gitlab.ts';

/** The segment of the path → the Git host's ways. A new host is a new file in `providers/` and a line here. */
export const webhookProviders: ReadonlyMap<string, Provider> = new Map([
  ['github', github],
  ['gitlab', gitlab],
  ['bitbucket', bitbucket],
  ['bitbucket-server', bitbucketServer],
  ['azure-devops', azureDevops],
  ['gitea', gitea],
  ['generic', generic],
]);
