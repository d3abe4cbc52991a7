/** Characters that go-yaml refuses or breaks lines at. */
// oxlint-disable-next-line no-control-regex -- these are the characters to keep out
const strangeCharacters = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/;
const directiveOrEnd = /^(?:%|\.\.\.(?:\s|$)|---(?![ \t]*(?:#.*)?$))/m;
const explicitKey = /^[ -]*\?(?:[ \n]|$)/m;
const wideIndent = /^[ ?-]{200}/m;

/** How deep flow collections may nest before the JavaScript parser is not asked any more (NT-70). */
const maxFlowDepth = 100;

/**
 * True when the text of one document (its last line ended) holds nothing that makes the JavaScript parser dangerous (depth) or unlike
 * go-yaml on sight. A loop over characters, so that what is refused costs nothing.
 */
export function isProvenText(text: string): boolean {
  return (
    text.endsWith('\n') &&
    text.isWellFormed() &&
    !strangeCharacters.test(text) &&
    !directiveOrEnd.test(text) &&
    !explicitKey.test(text) &&
    !wideIndent.test(text) &&
    flowDepth(text) <= maxFlowDepth
  );
}

/** An upper bound of flow nesting: every opening bracket counts, wherever it stands. */
function flowDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 91 || code === 123) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if ((code === 93 || code === 125) && depth > 0) depth -= 1;
  }
  return deepest;
}

/** A document of a stream and the line (1 is the first) on which it starts. */
export interface DocumentText {
  text: string;
  line: number;
}

/**
 * Splits a stream as kubectl does: at lines that start with `---`, followed by nothing but blanks or a comment.
 * Line ends become `\n` and the last line gets one. Anything else after `---` stays in the document, for kubectl to refuse.
 */
export function splitDocuments(stream: string): DocumentText[] {
  const text = stream.includes('\r\n') ? stream.replaceAll('\r\n', '\n') : stream;
  const documents: DocumentText[] = [];
  const separator = /^---[ \t]*(?:#.*)?$/gm;
  let start = 0;
  let line = 1;
  const add = (end: number): void => {
    const part = text.slice(start, end);
    if (/\S/.test(part)) documents.push({ text: part.endsWith('\n') ? part : `${part}\n`, line });
  };
  for (let match = separator.exec(text); match !== null; match = separator.exec(text)) {
    add(match.index);
    const next = Math.min(separator.lastIndex + 1, text.length);
    line += countLines(text, start, next);
    start = next;
  }
  add(text.length);
  return documents;
}

function countLines(text: string, from: number, to: number): number {
  let lines = 0;
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) lines += 1;
  return lines;
}
