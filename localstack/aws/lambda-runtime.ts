import type { FromRuntime, RuntimeSettings, ToRuntime } from './lambda-protocol.ts';

type Handler = (event: unknown, context: object) => unknown;

/**
 * What runs inside an instance: loads one bundle and hands it one event after another, with the context that Lambda gives.
 * It talks through the channel to the process that started it, and ends with it.
 */
async function main(): Promise<void> {
  const settings = JSON.parse(process.argv[2] ?? '{}') as RuntimeSettings;
  const send = (message: FromRuntime) => void process.send?.(message);
  const loading = loadHandler(settings.bundle);
  // A bundle that does not load is told with the first event, as Lambda tells it.
  loading.catch(() => undefined);
  process.on('message', (message: ToRuntime) => {
    void run(loading, settings, message).then(send);
  });
  // Nobody reads the answers any more.
  process.on('disconnect', () => process.exit(0));
  await loading.catch(() => undefined);
  send({ kind: 'ready' });
}

async function loadHandler(bundle: string): Promise<Handler> {
  const { handler } = (await import(bundle)) as { handler?: Handler };
  if (typeof handler === 'function') return handler;
  throw Object.assign(new Error('index.handler is undefined or not exported'), {
    name: 'Runtime.HandlerNotFound',
  });
}

async function run(loading: Promise<Handler>, settings: RuntimeSettings, message: ToRuntime): Promise<FromRuntime> {
  try {
    const handler = await loading;
    const answer = await handler(JSON.parse(message.payload), contextOf(settings, message));
    // As JSON.stringify does: what is undefined becomes null.
    return { kind: 'answer', payload: JSON.stringify(answer) ?? 'null' };
  } catch (error) {
    const { name, message: text, stack } = error instanceof Error ? error : new Error(String(error));
    const trace = (stack ?? '').split('\n');
    return { kind: 'failure', payload: JSON.stringify({ errorType: name, errorMessage: text, trace }) };
  }
}

/** The context object of Lambda's Node runtime. */
function contextOf(settings: RuntimeSettings, { requestId, deadline, tenantId }: ToRuntime): object {
  return {
    functionName: settings.functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: settings.arn,
    memoryLimitInMB: String(settings.memoryMb),
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${settings.functionName}`,
    logStreamName: settings.logStream,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    ...(tenantId === undefined ? {} : { tenantId }),
  };
}

await main();
