import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RenderTool } from '../../ports/renderer.ts';
import type { FoundDocument } from './collect-objects.ts';
import { checkChart } from './helm-chart.ts';
import { helmArguments } from './helm-arguments.ts';
import { decodeText, readDocuments } from './read-documents.ts';
import { writeBundle, type RenderContext } from './render-context.ts';
import { runTool } from './run-tool.ts';

/** Argo CD's Helm tool: `helm template` as a template engine only, without plugins, DNS, cluster or dependency download. */
export function renderHelm(context: RenderContext, job: Extract<RenderTool, { tool: 'helm' }>): FoundDocument[] {
  checkChart(context);
  writeBundle(context);
  mkdirSync(join(context.directory, 'tmp'), { mode: 0o700 });
  const write = (name: string, content: string | Uint8Array): string => {
    const path = join(context.directory, name);
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    return path;
  };
  const { stdout } = runTool(context, {
    name: 'helm',
    command: context.tools.helm,
    arguments: helmArguments(context, job, write),
    environment: {
      HELM_CACHE_HOME: join(context.directory, 'helm', 'cache'),
      HELM_CONFIG_HOME: join(context.directory, 'helm', 'config'),
      HELM_DATA_HOME: join(context.directory, 'helm', 'data'),
      HELM_PLUGINS: join(context.directory, 'helm', 'no-plugins'),
      HELM_NO_PLUGINS: '1',
    },
  });
  return readDocuments(context, decodeText(stdout, 'the output of helm'), (index, { text }) => {
    const template = /^# Source: (.{1,300})$/m.exec(text)?.[1];
    return template === undefined
      ? `document ${index} of helm’s output`
      : `template ${template} (document ${index} of helm’s output)`;
  });
}
