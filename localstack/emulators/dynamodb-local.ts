import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, installOnce, isInstalled, runs, startServer, type Emulator } from './emulator.ts';

const run = promisify(execFile);

/** `compose.yaml` has the image of the same one. */
export const dynamodbLocalVersion = '2.5.4';
const pom = join(import.meta.dirname, 'dynamodb-local.pom.xml');
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
/** Nothing is kept, and there is one database whoever asks: sessions of agents have access keys of their own. */
export const dynamodbLocalFlags = ['-inMemory', '-sharedDb', '-disableTelemetry'];
const mainClass = 'com.amazonaws.services.dynamodbv2.local.main.ServerRunner';
/** What DynamoDB Local 2.x asks for. */
const oldestJava = 17;

/** AWS's own DynamoDB Local, from Maven Central: 85 jars, 51 MB; in memory. */
export const dynamodbLocal: Emulator = {
  async look(folder, env) {
    const java = await javaVersion(env);
    if (java === undefined || java < oldestJava) {
      const found = java === undefined ? 'Java is not there' : `Java ${java} is too old`;
      return { ok: false, reason: `DynamoDB Local needs Java ${oldestJava}; ${found}: apt-get install default-jre` };
    }
    const installed = await isInstalled(targetOf(folder));
    if (!installed && !(await runs('mvn', ['--version'], env))) {
      return { ok: false, reason: 'DynamoDB Local is fetched by Maven, which is not there: apt-get install maven' };
    }
    return { ok: true, installed };
  },

  async install(folder, options) {
    const target = targetOf(folder);
    const repository = join(target, 'repository');
    const args = [
      '--batch-mode',
      '--quiet',
      `--file=${pom}`,
      `-Dmaven.repo.local=${repository}`,
      copyDependencies,
      '-DincludeScope=runtime',
      `-DoutputDirectory=${join(target, 'lib')}`,
    ];
    const commands = [
      { command: 'mvn', args },
      { command: 'rm', args: ['-rf', repository] },
    ];
    await installOnce(target, `Fetching DynamoDB Local ${dynamodbLocalVersion} (once)`, commands, options);
  },

  async start(folder, runFolder, options) {
    const lib = join(targetOf(folder), 'lib');
    const port = await freePort();
    const endpoint = `http://127.0.0.1:${port}`;
    const args = ['-Xmx1g', `-Djava.library.path=${lib}`, '-cp', join(lib, '*'), mainClass];
    const server = {
      name: `DynamoDB Local ${dynamodbLocalVersion}`,
      command: 'java',
      args: [...args, ...dynamodbLocalFlags, '-port', String(port)],
      cwd: runFolder,
      env: options.env,
    };
    // Without credentials it answers 400, which is an answer.
    return startServer(server, { endpoint, ready: endpoint }, options);
  },
};

function targetOf(folder: string): string {
  return join(folder, `dynamodb-local-${dynamodbLocalVersion}`);
}

/** `openjdk version "17.0.15"` and `java version "1.8.0"`: 17 and 1. */
async function javaVersion(env: NodeJS.ProcessEnv): Promise<number | undefined> {
  try {
    const { stdout, stderr } = await run('java', ['-version'], { env });
    const major = /version "(\d+)/.exec(`${stderr}${stdout}`)?.[1];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
}
