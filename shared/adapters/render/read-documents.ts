import { HawserError } from '../../errors.ts';
import type { FoundDocument } from './collect-objects.ts';
import { parseJsonStream } from './json-reader.ts';
import type { JsonTree } from './json-tree.ts';
import { cleanWords, runTool } from './run-tool.ts';
import type { RenderContext } from './render-context.ts';
import { splitDocuments, type DocumentText } from './yaml-subset.ts';
import { yamlToTree } from './yaml-to-json.ts';

/** Text of a file or of a tool's output. Throws `object-invalid` where it is not UTF-8. */
export function decodeText(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new HawserError('object-invalid', `${where} is not UTF-8 text`, { data: { where }, cause: error });
  }
}

/** All documents of a YAML stream, null ones too. `nameOf` says where document number n (1 is the first) was found. */
export function readDocuments(
  context: RenderContext,
  stream: string,
  nameOf: (index: number, document: DocumentText) => string,
): FoundDocument[] {
  return splitDocuments(stream).flatMap((document, index) => {
    const where = nameOf(index + 1, document);
    return readDocument(context, document, where).map((tree) => ({ tree, where }));
  });
}

/**
 * One document: by the proven subset in process, by the real kubectl otherwise, which may answer with several objects
 * (it explodes lists). Throws `object-invalid` with kubectl's words and the line in the whole stream.
 */
export function readDocument(context: RenderContext, document: DocumentText, where: string): JsonTree[] {
  try {
    const tree = yamlToTree(document.text, context.limits);
    return tree === undefined ? askKubectl(context, document, where) : [tree];
  } catch (error) {
    if (error instanceof HawserError && error.code === 'render-limit') {
      throw new HawserError('render-limit', `${where}: ${error.message}`, { data: error.data });
    }
    throw error;
  }
}

/** kubectl without a server: the pinned reader of YAML itself (about 35 ms). */
function askKubectl(context: RenderContext, { text, line }: DocumentText, where: string): JsonTree[] {
  try {
    const { stdout } = runTool(context, {
      name: 'kubectl',
      command: context.tools.kubectl,
      arguments: ['patch', '--local', '--type', 'merge', '-p', '{}', '-o', 'json', '-f', '-'],
      input: text,
    });
    return parseJsonStream(stdout.toString(), context.limits.depth);
  } catch (error) {
    if (!(error instanceof HawserError) || error.code !== 'render-failed') throw error;
    if (error.message.includes("Object 'Kind' is missing")) return [new Map()];
    const words = cleanWords(error.message, context)
      .replace(/^kubectl: (?:error: )?(?:error parsing STDIN: |unable to decode "STDIN": )?/, '')
      .replace(/yaml: line (\d+)/, (_, number: string) => `yaml: line ${Number(number) + line - 1}`);
    const at = /line (\d+)/.exec(words)?.[1];
    throw new HawserError('object-invalid', `${where}: ${words}`, {
      data: { where, ...(at === undefined ? {} : { line: Number(at) }) },
      cause: error,
    });
  }
}
