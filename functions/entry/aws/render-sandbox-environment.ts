import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the sandbox takes from its start; after this module is loaded the environment holds nothing any more. */
export interface SandboxSettings {
  /** Holds `helm/helm`, `kubectl/kubectl` and, where it is, `kustomize/kustomize`: the layers, or `HAWSER_TOOLS` elsewhere. */
  tools: string;
  /** The folder for jobs; on a shared machine each process has one of its own in it. */
  jobs: string;
  /** MiB that the function has; undefined outside Lambda. */
  memory: number | undefined;
  /** True in a Lambda environment, where nothing else runs and `/tmp` is ours. */
  isOwnMachine: boolean;
  notes: string[];
}

/**
 * What Lambda's Node 24 runtime wants to find before each event (it fails the invocation otherwise). The names stay,
 * their values are gone: they would tell a chart the function's name and log group.
 */
const checkedByRuntime = [
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
];

export const sandboxSettings: SandboxSettings = takeSettings();

/** The code of a Lambda function lies in /var/task and nowhere else: no variable can claim that. */
function takeSettings(): SandboxSettings {
  const isOwnMachine = import.meta.dirname === '/var/task';
  const memory = Number(process.env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']);
  const settings: SandboxSettings = {
    tools: isOwnMachine ? '/opt' : (process.env['HAWSER_TOOLS'] ?? '/opt'),
    jobs: isOwnMachine ? '/tmp/render-jobs' : join(tmpdir(), `hawser-render-jobs-${process.getuid?.() ?? 0}`),
    memory: isOwnMachine && memory > 0 ? memory : undefined,
    isOwnMachine,
    notes: [],
  };
  if (!forgetEnvironment()) settings.notes.push('the environment of the start is still to be read in /proc');
  return settings;
}

/**
 * Empties the environment twice: for this process and what it starts, and in the memory that the kernel shows as
 * /proc/PID/environ to every process of this user. The role's credentials are worth nothing (it may nothing), and are not
 * to be had all the same (NT-66). False where the kernel does not let a process write there; see proc(5), fields 50 and 51.
 */
function forgetEnvironment(): boolean {
  for (const name of Object.keys(process.env)) delete process.env[name];
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [start, end] = [Number(fields[47]), Number(fields[48])];
    const memory = openSync('/proc/self/mem', 'r+');
    writeSync(memory, Buffer.alloc(end - start), 0, end - start, start);
    closeSync(memory);
    return readFileSync('/proc/self/environ').every((byte) => byte === 0);
  } catch {
    return false;
  } finally {
    for (const name of checkedByRuntime) process.env[name] = '-';
  }
}
