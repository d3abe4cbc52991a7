import { sandboxTimeoutSeconds } from '#shared/adapters/aws/lambda-renderer.ts';
import { toolVersions } from '#shared/adapters/render/toolchain.ts';
import { flow } from '#shared/flow.ts';
import type { Grants } from './grants.ts';

const reading = ['GetItem', 'BatchGetItem', 'Query'];
/** A hint is always small and plain. */
const withBodies = ['render-jobs', 'publish-jobs', 'reports', 'agent-mail'];

/**
 * Every function of a deployment: how large, how long, how many, what starts it, what it may. Stacks, policies, the cost
 * estimate and the tests read this one list (contract: one Lambda per folder of functions/, one role each).
 */
export const functions: readonly FunctionSpec[] = [
  {
    name: 'webhook',
    does: 'verifies the signature of a push and sends a hint',
    memoryMb: 512,
    timeoutSeconds: 10,
    reserved: 100,
    trigger: { routes: ['POST /webhooks/{provider}/{repository}'] },
    environment: ['HAWSER_TABLE', 'HAWSER_QUEUE_BASE', 'HAWSER_CIPHER_KEY'],
    may: {
      table: [
        { actions: ['GetItem'], parts: ['organisation', 'secrets'] },
        { actions: ['PutItem'], parts: ['marks'] },
      ],
      send: ['hints'],
      keys: { seal: [], open: ['secrets'] },
    },
  },
  {
    name: 'api',
    does: 'answers dashboard, command line and agents that speak HTTPS',
    memoryMb: 1024,
    // An HTTP API gives up after 30 seconds.
    timeoutSeconds: 29,
    reserved: 200,
    trigger: { routes: ['ANY /{proxy+}', 'ANY /'] },
    environment: [
      'HAWSER_TABLE',
      'HAWSER_QUEUE_BASE',
      'HAWSER_CIPHER_KEY',
      'HAWSER_ROOT_KEY_PREFIX',
      'HAWSER_SECRET_PREFIX',
      'HAWSER_URL',
    ],
    may: {
      table: [
        { actions: reading, parts: ['organisation', 'repositories', 'applications', 'clusters', 'secrets', 'pages'] },
        { actions: ['PutItem', 'DeleteItem'], parts: ['organisation', 'applications', 'clusters', 'secrets'] },
        { actions: ['BatchWriteItem'], parts: ['applications', 'clusters', 'pages'] },
        { actions: ['UpdateItem'], parts: ['organisation', 'clusters', 'pages'] },
      ],
      bodies: { read: withBodies, write: ['reports', 'publish-jobs'] },
      // Redriving sends dead letters of any queue again.
      send: flow.map(({ name }) => name),
      deadLetters: flow.map(({ name }) => name),
      countQueues: true,
      wake: 'manage',
      secrets: [
        // Written only: credentials of repositories leave the service to nobody who asks (NT-94).
        { actions: ['CreateSecret', 'PutSecretValue', 'DeleteSecret'], kinds: ['repository'] },
      ],
      // Seals reports that are too large for a message, and the keys that webhooks are signed with.
      keys: { seal: ['snapshots', 'secrets'], open: ['snapshots', 'secrets'], publicKey: true },
    },
  },
  {
    name: 'token',
    does: "takes an agent's ServiceAccount token for short-lived credentials",
    memoryMb: 512,
    timeoutSeconds: 10,
    reserved: 20,
    trigger: { routes: ['POST /api/v1/agent/register', 'POST /api/v1/agent/token'] },
    environment: ['HAWSER_TABLE', 'HAWSER_QUEUE_BASE', 'HAWSER_CIPHER_KEY', 'HAWSER_AGENT_ROLE', 'HAWSER_URL'],
    may: {
      table: [{ actions: ['GetItem', 'PutItem'], parts: ['organisation'] }],
      assumeAgent: true,
    },
  },
  {
    name: 'plan',
    does: 'reads Git and finds what a push changes',
    memoryMb: 1024,
    // LIM-03 lets one fetch take 120 seconds.
    timeoutSeconds: 150,
    reserved: 100,
    trigger: { queues: [{ name: 'hints', most: 100 }] },
    environment: [
      'HAWSER_TABLE',
      'HAWSER_QUEUE_BASE',
      'HAWSER_CIPHER_KEY',
      'HAWSER_SECRET_PREFIX',
      'HAWSER_PRIVATE_ADDRESSES',
    ],
    may: {
      table: [
        { actions: reading, parts: ['organisation', 'repositories', 'applications', 'clusters', 'inputs'] },
        { actions: ['PutItem'], parts: ['repositories', 'applications', 'clusters', 'inputs'] },
        // Of the organisation the ticket counter alone: this function reads what strangers wrote.
        { actions: ['UpdateItem'], parts: ['organisation', 'input-rows', 'pages'] },
        { actions: ['BatchWriteItem'], parts: ['input-chunks', 'pages'] },
        { actions: ['DeleteItem'], parts: ['repositories'] },
      ],
      bodies: { read: [], write: ['render-jobs', 'publish-jobs'] },
      send: ['render-jobs', 'publish-jobs', 'hints'],
      secrets: [{ actions: ['GetSecretValue'], kinds: ['repository'] }],
      keys: { seal: ['inputs'], open: ['inputs'] },
      pullCodeCommit: true,
    },
  },
  {
    name: 'render',
    does: 'hands input bundles to the sandbox and keeps what comes back',
    memoryMb: 512,
    timeoutSeconds: 120,
    reserved: 50,
    trigger: { queues: [{ name: 'render-jobs', most: 50 }] },
    environment: ['HAWSER_TABLE', 'HAWSER_QUEUE_BASE', 'HAWSER_CIPHER_KEY', 'HAWSER_RENDER_FUNCTION'],
    may: {
      table: [
        { actions: ['GetItem', 'BatchGetItem'], parts: ['inputs'] },
        { actions: ['PutItem', 'UpdateItem', 'BatchWriteItem'], parts: ['inputs'] },
      ],
      bodies: { read: ['render-jobs'], write: ['render-jobs', 'publish-jobs'] },
      send: ['publish-jobs'],
      keys: { seal: ['inputs'], open: ['inputs'] },
      invoke: 'render-sandbox',
    },
  },
  {
    name: 'render-sandbox',
    does: 'runs helm, kustomize and kubectl on one input bundle, with no permission and no network',
    // LIM-11 lets one render use 2 GiB; what starts and watches it comes on top.
    memoryMb: 3008,
    timeoutSeconds: sandboxTimeoutSeconds,
    // Up to the batch of each render at once.
    reserved: 200,
    trigger: { invokedBy: 'render' },
    isSandbox: true,
    environment: [],
    may: {},
  },
  {
    name: 'publish',
    does: 'checks policy, signs, stores and announces snapshots',
    memoryMb: 1024,
    timeoutSeconds: 30,
    reserved: 50,
    trigger: { queues: [{ name: 'publish-jobs', most: 50 }] },
    environment: ['HAWSER_TABLE', 'HAWSER_QUEUE_BASE', 'HAWSER_CIPHER_KEY', 'HAWSER_ROOT_KEY_PREFIX'],
    may: {
      table: [
        { actions: reading, parts: ['organisation', 'applications', 'clusters', 'inputs', 'secrets'] },
        { actions: ['PutItem'], parts: ['organisation', 'applications', 'clusters', 'input-rows', 'secrets'] },
        { actions: ['BatchWriteItem'], parts: ['organisation', 'applications', 'clusters', 'pages'] },
        { actions: ['UpdateItem'], parts: ['organisation', 'clusters', 'pages'] },
      ],
      bodies: { read: ['publish-jobs'], write: ['publish-jobs'] },
      send: ['hints', 'publish-jobs'],
      wake: 'send',
      // An app of apps registers repositories, and each gets a key for its webhooks. Never the credentials for Git.
      keys: {
        seal: ['snapshots', 'secrets'],
        open: ['snapshots', 'inputs', 'secrets'],
        publicKey: true,
        sign: true,
      },
    },
  },
  {
    name: 'report',
    does: 'takes in what agents say',
    memoryMb: 512,
    timeoutSeconds: 20,
    reserved: 50,
    trigger: {
      queues: [
        { name: 'reports', most: 25 },
        { name: 'agent-mail', most: 25 },
      ],
    },
    environment: ['HAWSER_TABLE', 'HAWSER_QUEUE_BASE', 'HAWSER_CIPHER_KEY', 'HAWSER_AGENT_ROLE_ID'],
    may: {
      table: [
        { actions: reading, parts: ['organisation', 'applications', 'clusters'] },
        {
          actions: ['PutItem', 'BatchWriteItem', 'DeleteItem'],
          parts: ['organisation', 'applications', 'clusters'],
        },
        { actions: ['UpdateItem'], parts: ['clusters', 'pages'] },
        { actions: ['BatchWriteItem'], parts: ['pages'] },
      ],
      bodies: { read: ['reports', 'agent-mail'], write: ['reports', 'agent-mail'] },
      send: ['hints', 'publish-jobs'],
      wake: 'send',
      keys: { seal: [], open: ['snapshots'] },
    },
  },
  {
    name: 'sweep',
    does: 'polls what webhooks missed, and removes what nothing needs',
    memoryMb: 512,
    // Garbage is looked for once an hour and takes longer than the minute between two sweeps.
    timeoutSeconds: 300,
    reserved: 5,
    trigger: { everyMinutes: 1 },
    environment: ['HAWSER_TABLE', 'HAWSER_QUEUE_BASE'],
    may: {
      table: [
        {
          actions: reading,
          parts: ['organisation', 'repositories', 'applications', 'clusters', 'inputs', 'marks'],
        },
        { actions: ['PutItem'], parts: ['organisation', 'repositories'] },
        { actions: ['UpdateItem', 'BatchWriteItem'], parts: ['clusters', 'inputs', 'pages'] },
        { actions: ['DeleteItem'], parts: ['organisation', 'applications', 'clusters', 'inputs', 'marks'] },
      ],
      bodies: { read: ['render-jobs', 'publish-jobs', 'reports'], write: [] },
      // What died of an outage is sent again (functions/sweep/redrive.ts).
      send: ['hints', 'render-jobs', 'publish-jobs', 'reports'],
      deadLetters: ['hints', 'render-jobs', 'publish-jobs', 'reports'],
    },
  },
  {
    name: 'prepare',
    does: 'makes the organisation and grants whoever deployed one admin token',
    memoryMb: 256,
    timeoutSeconds: 30,
    reserved: 1,
    trigger: { invokedBy: 'whoever deployed' },
    environment: ['HAWSER_TABLE'],
    may: { table: [{ actions: ['PutItem'], parts: ['organisation'] }] },
  },
];

/** Layers of the sandbox, named by what is in them (NT-162: the same versions that every input digest names). */
export const layers = {
  kubectl: `helm-${toolVersions.helm}-kubectl-${toolVersions.kubectl}`.replaceAll('.', '-'),
  kustomize: `kustomize-${toolVersions.kustomize}`.replaceAll('.', '-'),
};

/** Requests each second, and burst, that the edge lets through for a route (LIM-02, TGT-02); the rest is answered 429. */
export const throttling: {
  routes: Record<string, { rate: number; burst: number }>;
  others: { rate: number; burst: number };
} = {
  routes: {
    'POST /webhooks/{provider}/{repository}': { rate: 1000, burst: 2000 },
    'POST /api/v1/agent/register': { rate: 20, burst: 100 },
    'POST /api/v1/agent/token': { rate: 100, burst: 500 },
  },
  others: { rate: 1000, burst: 2000 },
};

export interface FunctionSpec {
  /** Folder of dist/functions, and part of the names of function, role and log group. */
  name: string;
  does: string;
  memoryMb: number;
  timeoutSeconds: number;
  /** Concurrent executions that are its own, where concurrency is reserved. */
  reserved: number;
  trigger: {
    routes?: readonly string[];
    /** `most`: concurrent executions for one queue. */
    queues?: readonly { name: string; most: number }[];
    everyMinutes?: number;
    invokedBy?: string;
  };
  /** Names beyond those that all have; the sandbox has none at all. */
  environment: readonly string[];
  may: Grants;
  isSandbox?: boolean;
}

/** The function of this name; throws where there is none, for names are written in code. */
export function functionNamed(name: string): FunctionSpec {
  const found = functions.find((spec) => spec.name === name);
  if (found === undefined) throw new Error(`there is no function ${name}`);
  return found;
}
