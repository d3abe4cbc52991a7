import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentSessionPolicy, agentSessionTrust } from '#infra/aws/agent-policies.ts';
import { functions } from '#infra/aws/functions.ts';
import { arnsOf } from '#infra/aws/names.ts';
import { functionPolicy, type PolicyScope } from '#infra/aws/policies.ts';
import { account, accessKeyOf, localNames, region } from '#localstack/aws/deployment.ts';
import { watchedAwsService } from '#localstack/aws/service.ts';
import { availableEmulators } from '#localstack/emulators/emulators.ts';
import { flow } from '#shared/flow.ts';
import { dirtyKey } from '#shared/state/dirty.ts';
import { createAwsRecorder, type AwsSession } from '#test/kit/aws-recorder.ts';
import { callerOf, iamRequestsOf } from '#test/kit/aws-recorder-iam.ts';
import { unusedRights } from '#test/kit/iam-coverage.ts';
import { decide, type IamRequest } from '#test/kit/iam-evaluate.ts';
import { startTestProduct, type TestProduct } from '#test/kit/product.ts';
import { lookForNeeds } from '#test/runner/needs.ts';
import * as tours from './policies-tour.ts';

/**
 * What functions and agents ask of AWS while people use the product, decided by the policies that infra gives them: nothing is
 * refused, and nothing is granted that nobody needs. The emulators themselves allow everything.
 */
const { organisation } = tours;
const scope: PolicyScope = {
  environment: 'local',
  region,
  organisation,
  account,
  cipherKeyArn: `arn:aws:kms:${region}:${account}:key/cipher`,
  rootKeyArn: `arn:aws:kms:${region}:${account}:key/root`,
};

/** Rights that this machine cannot show to be needed, by the statement or the right, with the reason. */
const unseen: Record<string, string> = {
  OwnLog: 'Lambda itself writes what a function prints',
  Traces: 'Lambda itself sends traces',
  'Receive sqs:GetQueueAttributes': 'Lambda asks for it before it polls a queue',
};

const lacking = await findLacking();

if (lacking.length > 0) {
  describe('what functions ask of AWS', () => {
    it('is what their policies allow', (context) => context.skip(lacking.join('; ')));
  });
} else describe('what functions ask of AWS', defineTests);

async function findLacking(): Promise<string[]> {
  const emulators = Object.values(await availableEmulators()).flatMap((one) => (one.ok ? [] : [one.reason]));
  const needs = [...(await lookForNeeds(['git', 'sandbox'])).values()];
  return [...emulators, ...needs.flatMap((need) => (need.ok ? [] : [need.missing]))];
}

function defineTests(): void {
  const byFunction = new Map<string, Map<string, IamRequest>>();
  const bySession = new Map<AwsSession, Map<string, IamRequest>>();
  const problems = new Set<string>();
  const recorder = createAwsRecorder({
    onUnknown: (what) => problems.add(`not understood: ${what}`),
    onCall(call) {
      try {
        const caller = callerOf(call, scope, recorder.sessions);
        const into = 'session' in caller ? at(bySession, caller.session) : at(byFunction, caller.function);
        for (const request of iamRequestsOf(call, scope)) into.set(JSON.stringify(request), request);
      } catch (error) {
        problems.add(String(error));
      }
    },
  });
  let product: TestProduct;
  let tour: tours.Tour;
  let host: tours.Tour['host'] | undefined;
  const sweep = () => tour.host.invoke(localNames(organisation).function('sweep'), '{}');

  beforeAll(async () => {
    const watch = { between: recorder.between, onHost: (started: tours.Tour['host']) => (host = started) };
    product = await startTestProduct({ demo: true, startService: watchedAwsService(watch) });
    tour = await tours.openTour(product, host);
  }, 900_000);
  afterAll(async () => {
    tour?.close();
    await product?.end();
  });

  it('a push while no hint can be sent is marked, and the sweep sends its hint (FT-04)', async () => {
    const marks = async () => (await tour.store.query(dirtyKey(organisation))).rows.length;
    recorder.refuse = (call) => call.service === 'sqs' && call.accessKeyId === accessKeyOf('webhook');
    const answer = await tours.deliver(tour);
    recorder.refuse = () => false;

    expect(answer).toBe(202);
    expect(await marks()).toBe(1);
    await sweep();
    expect(await marks()).toBe(0);
    expect(await tours.deliver(tour)).toBe(202);
  });

  it('the demo comes up: an app of apps, charts, kustomizations, Flux objects', () => tours.everythingIsGood(tour, 8));
  it('an agent in a closed network is served over HTTPS', () => tours.visitClosedNetwork(tour));
  it('pushes, mistakes, sources that are not there', () => tours.pushEverything(tour));
  it('drift, and what people do by hand', () => tours.useEveryButton(tour));
  it('many large objects, and an application with children', () => tours.growAndShrink(tour));
  it('repositories and clusters are registered and forgotten', () => tours.registerAndForget(tour));
  it('people are let in and shut out again, with their sessions (NT-110)', () => tours.letInAndShutOut(tour));
  it('messages that nobody can handle die, and are sent again', () =>
    tours.poisonEveryQueue(
      tour,
      flow.map(({ name }) => name),
    ));

  it('the sweep drops garbage and sends again what an outage killed', async () => {
    await tours.leaveToSweep(tour);
    expect(await sweep()).not.toHaveProperty('functionError');
    expect(await tours.isSwept(tour)).toBe(true);
  });

  it('whoever deployed gets another token', async () => {
    const done = await tour.host.invoke(localNames(organisation).function('prepare'), '{"again":true}');
    expect(JSON.parse(done.payload)).toHaveProperty('token');
  });

  it('no call of it is unknown here, and each comes from somebody known', () => expect([...problems]).toEqual([]));

  for (const spec of functions.filter(({ isSandbox }) => isSandbox !== true)) {
    it(`${spec.name}: its role allows what it asked for, and nothing else`, () => {
      const requests = [...at(byFunction, spec.name).values()];
      const policy = functionPolicy(spec, scope);

      const refused = requests.filter((request) => decide({ role: [policy] }, request) !== 'allowed');

      expect.soft(refused.map(inWords)).toEqual([]);
      expect.soft(unusedRights(policy, requests).filter(isUnexplained)).toEqual([]);
    });
  }

  it('the sandbox asks for nothing (INV-09)', () => expect(byFunction.has('render-sandbox')).toBe(false));

  it('agents: role and session allow together what they asked for, and the role nothing else (NT-100)', () => {
    const role = agentSessionPolicy(scope);
    const asked = [...bySession].flatMap(([session, requests]) =>
      [...requests.values()].map((request) => ({ session, request: withTags(session, request) })),
    );

    const refused = asked.filter(
      ({ session, request }) => decide({ role: [role], session: session.policy }, request) !== 'allowed',
    );

    expect(asked.length).toBeGreaterThan(0);
    expect(refused.map(({ request }) => inWords(request))).toEqual([]);
    expect(
      unusedRights(
        role,
        asked.map(({ request }) => request),
      ),
    ).toEqual([]);
  });

  it('agents’ sessions are of the role that trusts the token function, with the tags that it asks for', () => {
    const [trust] = agentSessionTrust(scope).Statement;
    const becoming = [...at(byFunction, 'token').values()].filter(({ action }) => action.startsWith('sts:'));
    const { Principal: principal, ...rest } = trust ?? {};
    const statement = { ...rest, Resource: [arnsOf(scope).role('agent-session')] };
    const document = { Version: '2012-10-17', Statement: [statement] };

    expect(principal).toEqual({ AWS: arnsOf(scope).role('token') });
    expect(becoming.map(({ action }) => action).toSorted()).toEqual(['sts:AssumeRole', 'sts:TagSession']);
    expect(becoming.filter((request) => decide({ role: [document] }, request) !== 'allowed')).toEqual([]);
  });
}

function isUnexplained(right: string): boolean {
  return unseen[right] === undefined && unseen[right.split(' ')[0] ?? ''] === undefined;
}

function withTags({ tags }: AwsSession, request: IamRequest): IamRequest {
  const own = Object.entries(tags).map(([key, value]) => [`aws:PrincipalTag/${key}`, value] as const);
  return { ...request, context: { ...request.context, ...Object.fromEntries(own) } };
}

function at<Key>(map: Map<Key, Map<string, IamRequest>>, key: Key): Map<string, IamRequest> {
  const found = map.get(key) ?? new Map<string, IamRequest>();
  map.set(key, found);
  return found;
}

function inWords({ action, resource, context }: IamRequest): string {
  return `${action} on ${resource} ${JSON.stringify(context)}`;
}
