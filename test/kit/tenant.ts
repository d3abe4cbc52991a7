import type { RenderBundle, Renderer, RenderResult } from '#shared/ports/renderer.ts';

/** A renderer as one organisation sees it, which is all that most tests are about. */
export interface TenantRenderer {
  render(bundle: RenderBundle, signal?: AbortSignal): Promise<RenderResult>;
  versions: Renderer['versions'];
  close: Renderer['close'];
}

export function asTenant(renderer: Renderer, tenant = 'acme'): TenantRenderer {
  return {
    render: (bundle, signal) => renderer.render(bundle, { tenant, ...(signal === undefined ? {} : { signal }) }),
    versions: () => renderer.versions(),
    close: () => renderer.close(),
  };
}
