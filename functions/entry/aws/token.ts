import { STSClient } from '@aws-sdk/client-sts';
import { clientSettings } from '#shared/adapters/aws/client-settings.ts';
import { createStsAgentAccess } from '#shared/adapters/aws/sts-agent-access.ts';
import { createHttpsJwks } from '#shared/adapters/identity/https-jwks.ts';
import { createTokenApp } from '#functions/token/app.ts';
import { createCore } from './core.ts';
import { httpFunction } from './http.ts';
import { openTable } from './parts-table.ts';
import { endpointsOf, endpointSettings } from './settings.ts';

const core = createCore('token', ['table', 'queueBase', 'cipherKey', 'agentRole', 'region', ...endpointSettings]);
const { settings } = core;

const app = createTokenApp({
  ...core,
  ...openTable(core),
  organisation: settings.organisation,
  issuerKeys: createHttpsJwks(core),
  ...(settings.agentRole === undefined
    ? {}
    : {
        agentAccess: createStsAgentAccess({
          ...settings,
          client: new STSClient(clientSettings()),
          roleArn: settings.agentRole,
          endpoints: endpointsOf(settings),
        }),
      }),
});

/** `POST /api/v1/agent/register` and `/token`: ServiceAccount tokens in, short-lived credentials out. */
export const handler = httpFunction(core, app);
