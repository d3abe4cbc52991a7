import { execFileSync } from 'node:child_process';
import { parseJsonStream } from '#shared/adapters/render/json-reader.ts';
import { canonicalText } from '#shared/adapters/render/json-tree.ts';

/** Canonical JSON of objects (one YAML text each) as the real kubectl reads them, in one run. Throws when it refuses any of them. */
export function askKubectl(kubectl: string, texts: string[]): string[] {
  if (texts.length === 0) return [];
  const output = execFileSync(kubectl, ['patch', '--local', '--type', 'merge', '-p', '{}', '-o', 'json', '-f', '-'], {
    input: texts.join('---\n'),
    env: { KUBECONFIG: '/dev/null', HOME: '/nonexistent' },
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  return parseJsonStream(output.toString(), 200).map(canonicalText);
}
