import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { calls, flow, type Stage } from '#shared/flow.ts';

const readme = join(import.meta.dirname, '../../README.md');
const begin = '<!-- flow: generated from shared/flow.ts by npm run docs -->';
const end = '<!-- /flow -->';

/** In the order a push meets them; the diagram's boxes. */
const stages: { stage: Stage; label: string }[] = [
  { stage: 'git host', label: 'Git host' },
  { stage: 'webhook', label: 'webhook' },
  { stage: 'sweep', label: 'sweep<br/>every minute' },
  { stage: 'plan', label: 'plan' },
  { stage: 'render', label: 'render' },
  { stage: 'publish', label: 'publish' },
  { stage: 'api', label: 'api' },
  { stage: 'report', label: 'report' },
  { stage: 'token', label: 'token' },
  { stage: 'agent', label: 'agent<br/>in each cluster' },
];

/** The pipeline as a Mermaid flowchart: thick arrows are queues, thin ones are calls. */
export function flowDiagram(): string {
  const boxes = stages.map(({ stage, label }) => `  ${idOf(stage)}["${label}"]`);
  const queues = flow.flatMap((queue) => {
    return queue.from.map((from) => `  ${idOf(from)} == "${queue.name}" ==> ${idOf(queue.to)}`);
  });
  const hops = calls.map(({ from, to, carries }) => `  ${idOf(from)} -. "${shortened(carries)}" .-> ${idOf(to)}`);
  return ['flowchart TD', ...boxes, ...queues, ...hops].join('\n');
}

/** What each queue carries, as a table. */
export function queueTable(): string {
  const rows = flow.map((queue) => {
    const settings = `${queue.visibilitySeconds} s, ${queue.tries ?? queue.maxReceives} times`;
    return `| \`${queue.name}\` | ${queue.from.join(', ')} | ${queue.to} | ${queue.carries} | ${settings} |`;
  });
  const head = ['| queue | from | to | carries | hidden for, tried |', '| --- | --- | --- | --- | --- |'];
  return [...head, ...rows].join('\n');
}

/** What belongs between the two marks of the README. */
export function flowSection(): string {
  return [begin, '', '```mermaid', flowDiagram(), '```', '', queueTable(), '', end].join('\n');
}

/** The text with its flow section replaced. Throws where the marks are missing. */
export function withFlowSection(text: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`README.md lacks the lines ${begin} and ${end}`);
  return text.slice(0, from) + flowSection() + text.slice(to + end.length);
}

function idOf(stage: Stage): string {
  return stage.replace(' ', '-');
}

/** Arrows have room for a few words: what is in brackets is left out. */
function shortened(carries: string): string {
  return carries.replace(/ *\(.*\)/, '');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const text = await readFile(readme, 'utf8');
  const next = withFlowSection(text);
  if (next !== text) await writeFile(readme, next);
  console.log(next === text ? 'README.md is in step with shared/flow.ts' : 'README.md: flow diagram written');
}
