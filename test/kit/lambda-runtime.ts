/**
 * Lambda's Node 24 runtime as far as a function can tell: it remembers the Runtime API's address, loads the handler, then
 * asks for events, looks whether the variables that it wants are there (as the real one does before each event), runs the
 * handler, and posts what it answers. Run as a process of its own by `test/kit/lambda.ts`.
 */
const wanted = [
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
];

const api = `http://${process.env['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime`;
const task = process.env['LAMBDA_TASK_ROOT'] ?? '';

async function post(path: string, body: unknown): Promise<void> {
  const answer = await fetch(`${api}/${path}`, { method: 'POST', body: JSON.stringify(body) });
  await answer.arrayBuffer();
}

function errorBody(error: unknown): { errorType: string; errorMessage: string } {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { errorType: name, errorMessage: message };
}

async function main(): Promise<void> {
  const { handler } = (await import(`${task}/index.mjs`).catch(async (error: unknown) => {
    await post('init/error', errorBody(error));
    process.exit(1);
  })) as { handler: (event: unknown, context: unknown) => Promise<unknown> };

  for (;;) {
    const next = await fetch(`${api}/invocation/next`);
    const id = next.headers.get('lambda-runtime-aws-request-id') ?? '';
    const event: unknown = await next.json();
    const missing = wanted.filter((name) => (process.env[name] ?? '') === '');
    if (missing.length > 0) throw new Error(`Missing required environment variables: ${missing.join(', ')}`);
    const context = { awsRequestId: id, getRemainingTimeInMillis: () => 60_000 };
    try {
      const result = await handler(event, context);
      // The real one lets the loop turn once before it answers.
      await new Promise((resolve) => setImmediate(resolve));
      await post(`invocation/${id}/response`, result ?? null);
    } catch (error) {
      await post(`invocation/${id}/error`, errorBody(error));
    }
  }
}

await main();
