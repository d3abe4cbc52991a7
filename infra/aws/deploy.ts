import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { HawserError } from '#shared/errors.ts';
import {
  contextArgs,
  decide,
  deployCalls,
  deployUsage,
  farewell,
  lossesIn,
  outputOf,
  readRequest,
  type DeployRequest,
  type Outputs,
} from './deploy-plan.ts';
import { explain } from './troubles.ts';
import { clientConfig, whoDeploys } from './who-deploys.ts';

const root = join(import.meta.dirname, '..', '..');
const outputsFile = join(root, 'dist', 'cdk.out', 'outputs.json');

/** `npm run deploy:aws`: build, look, ask, deploy, prepare. What is decided on the way is in deploy-plan.ts. */
try {
  const request = readRequest(process.argv.slice(2));
  if (request === undefined) console.log(deployUsage);
  else await deploy(request);
} catch (error) {
  if (!(error instanceof HawserError)) throw error;
  console.error(`error: ${error.message}${error.hint === undefined ? '' : `\nhint: ${error.hint}`}`);
  process.exitCode = error.code === 'invalid-input' ? 2 : 1;
}

async function deploy(asked: DeployRequest): Promise<void> {
  // Before the work: who cannot deploy should not wait for it.
  const account = await whoDeploys(asked);
  const request = { ...asked, settings: { ...asked.settings, account } };
  console.log(
    `${request.settings.environment} of ${request.settings.organisation}: ${request.settings.region}, account ${account}`,
  );
  console.log('1/4 building dashboard and functions');
  await run('node', [join(root, 'infra/build/build.ts'), 'dashboard', 'functions']);
  console.log('2/4 comparing with what is deployed');
  if (!(await mayGoOn(request))) return;
  console.log('3/4 deploying');
  await mkdir(join(root, 'dist', 'cdk.out'), { recursive: true });
  const { main, front } = deployCalls(request, outputsFile);
  await cdk(request, main.args);
  let outputs = await readOutputs();
  let url = outputOf(outputs, request, 'edge', 'Url');
  if (front !== undefined) {
    await cdk(request, front(outputOf(outputs, request, 'edge', 'ApiHost')).args);
    const own = await readOutputs();
    outputs = { ...outputs, ...own };
    url = outputOf(outputs, request, 'front', 'Url');
    await writeFile(outputsFile, JSON.stringify(outputs, null, 2));
  }
  console.log('4/4 preparing the organisation');
  const name = outputOf(outputs, request, 'compute', 'PrepareFunction');
  const again = `aws lambda invoke --region ${request.settings.region} --function-name ${name} --payload '{"again":true}' --cli-binary-format raw-in-base64-out /dev/stdout`;
  console.log(`\n${farewell(url, await prepare(request, name), again)}`);
}

async function mayGoOn(request: DeployRequest): Promise<boolean> {
  const losses = lossesIn(await cdk(request, ['diff', '--no-color', ...contextArgs(request)], 'quiet'));
  for (const loss of losses) console.log(`  ${loss}`);
  const decision = decide(losses, { yes: request.yes, terminal: process.stdin.isTTY });
  if (decision === 'go') return true;
  if (decision === 'refuse') {
    throw new HawserError('conflict', 'what exists would be replaced or removed, and nobody can be asked', {
      hint: 'Look at the list above; --yes goes on without asking.',
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question('The above would be replaced or removed. Go on? [y/N] ');
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

async function prepare(request: DeployRequest, name: string): Promise<{ organisation: string; token?: string }> {
  const client = new LambdaClient(clientConfig(request));
  const answer = await client.send(new InvokeCommand({ FunctionName: name, Payload: '{}' })).catch((error: unknown) => {
    throw explain(String(error), request) ?? error;
  });
  const text = Buffer.from(answer.Payload ?? []).toString();
  if (answer.FunctionError === undefined) return JSON.parse(text) as { organisation: string; token?: string };
  throw new HawserError('internal', `${name} failed: ${text.slice(0, 500)}`, {
    hint: 'Read its log; then deploy again.',
  });
}

async function readOutputs(): Promise<Outputs> {
  return JSON.parse(await readFile(outputsFile, 'utf8')) as Outputs;
}

/** Runs cdk where cdk.json is. `quiet`: what it prints is returned and not shown. What it fails with is explained where that is known. */
async function cdk(request: DeployRequest, args: readonly string[], how: 'shown' | 'quiet' = 'shown'): Promise<string> {
  const command = join(root, 'node_modules/.bin/cdk');
  try {
    return await run(command, args, how, import.meta.dirname);
  } catch (error) {
    const said = error instanceof HawserError ? String(error.data['said']) : '';
    const explained = explain(said, request);
    if (explained === undefined) throw error;
    if (how === 'quiet') console.error(said.slice(-2000));
    throw explained;
  }
}

/** Runs a command to its end. What it says is kept (`said` in the error's data), and shown on the way unless `quiet`. */
function run(command: string, args: readonly string[], how: 'shown' | 'quiet' = 'shown', cwd = root): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['inherit', 'pipe', 'pipe'] });
    const seen: Buffer[] = [];
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (chunk: Buffer) => {
        seen.push(chunk);
        if (how === 'shown') process[stream].write(chunk);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      const said = Buffer.concat(seen).toString();
      if (code === 0) return resolve(said);
      const what = `${command.split('/').at(-1)} ${args[0]} ended with ${code}`;
      const shown = how === 'quiet' && said !== '' ? `:\n${said.slice(-4000)}` : '';
      return reject(new HawserError('internal', `${what}${shown}`, { data: { said } }));
    });
  });
}
