import type { FluxOptions, HelmOptions, KustomizeOptions } from '../domain/application.ts';

/** Everything a render may see: files and options. No links, no `.git`, normalised relative paths only. */
export interface RenderBundle {
  /** Path within `files` that is rendered; '' is the root. */
  path: string;
  files: { path: string; content: Uint8Array; executable?: boolean }[];
  job: RenderTool;
}

export type RenderTool =
  | { tool: 'directory'; /** The manifest files, in order. */ manifests: string[] }
  | { tool: 'kustomize'; options: KustomizeOptions }
  | {
      tool: 'flux';
      options: FluxOptions;
      /** False: the folder has no kustomization file and one is generated over `manifests`. */ hasKustomization: boolean;
      manifests: string[];
    }
  | {
      tool: 'helm';
      options: HelmOptions;
      releaseName: string;
      namespace: string;
      kubeVersion: string;
      apiVersions: string[];
    };

export interface RenderResult {
  /** Canonical JSON text of each object, in the order the tool gave them, exactly as kubectl reads the YAML. */
  objects: string[];
  warnings: string[];
}

/** Whose bundle it is, and how long it may take. */
export interface RenderCall {
  /** The organisation, from the authenticated job (never from the bundle): no environment that a cloud keeps serves two of them. */
  tenant: string;
  signal?: AbortSignal;
  /** Milliseconds; the renderer's own limit (LIM-10) when absent or smaller. */
  wallClock?: number;
}

/**
 * Renders a bundle without any authority: no credentials, no network, an allow-listed environment, limits on time,
 * memory, output, processes and file size. Errors: `render-failed` (the tool's own words, paths made relative),
 * `render-limit` (which limit, its value), `object-invalid` (which file, document, line).
 */
export interface Renderer {
  render(bundle: RenderBundle, call: RenderCall): Promise<RenderResult>;
  /** Versions that are part of every input digest, e.g. `{ kustomize: '5.7.1', helm: '4.1.4', json: '1' }`. */
  versions(): Promise<Record<string, string>>;
  close(): Promise<void>;
}
