import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareToolchain } from '#shared/adapters/render/toolchain.ts';

/** Lays the pinned tools out as the sandbox's layers do below /opt: `helm/helm`, `kubectl/kubectl`, `kustomize/kustomize`. */
export async function layOutTools(folder: string, options: { cacheDir: string; kustomize?: string }): Promise<string> {
  const tools = await prepareToolchain(options);
  for (const [name, path] of Object.entries(tools) as [string, string | undefined][]) {
    if (path === undefined) continue;
    await rm(join(folder, name), { recursive: true, force: true });
    await mkdir(join(folder, name), { recursive: true });
    await symlink(path, join(folder, name, name));
  }
  return folder;
}
