import { Document, parseAllDocuments, Scalar, visit, type CollectionTag, type ScalarTag, type Tags } from 'yaml';
import { isUnsafe } from './escape.ts';

/** A document of a YAML or JSON file. */
export interface ReadDocument {
  value: unknown;
  /** 1 for the first line of the file. */
  line: number;
}

/** YAML text of a value, with what YAML 1.1 would misread (`yes`, dates, octal) in quotes; control characters are escaped within double quotes (NT-135). */
export function toYaml(value: unknown): string {
  const document = new Document(value, { aliasDuplicateObjects: false, version: '1.1' });
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && isUnsafe(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  const text = document.toString({ lineWidth: 0, indentSeq: false });
  // What is left is within double quotes, where YAML takes the same escapes as JSON.
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/**
 * The documents of a YAML stream (JSON is YAML), read as kubectl does: YAML 1.1 booleans and octal numbers, no timestamps.
 * Empty documents are left out. Throws an Error that names line and column.
 */
export function readYaml(text: string): ReadDocument[] {
  const documents = parseAllDocuments(text, { version: '1.1', customTags, merge: true, prettyErrors: true });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document): ReadDocument[] => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(error.message.split('\n', 1)[0]);
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    const line = text.slice(0, document.contents?.range?.[0] ?? 0).split('\n').length;
    return value === null || value === undefined ? [] : [{ value, line }];
  });
}

/** YAML 1.1 without what kubectl's reader does not know: dates, base 60, sets, numbers without a digit (`path: .`). */
function customTags(tags: Tags): Tags {
  const unknown = new Set(['timestamp', 'intTime', 'floatTime', 'set', 'omap', 'pairs']);
  const known = tags.filter((tag) => {
    if (typeof tag === 'string') return !unknown.has(tag);
    const name = tag.tag.replace('tag:yaml.org,2002:', '');
    return !unknown.has(name) && tag.format !== 'TIME';
  });
  return [octal, ...known.map((tag) => (typeof tag === 'string' ? tag : withDigits(tag)))];
}

/** YAML 1.2's octal numbers, which kubectl takes too. */
const octal: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^[-+]?0o[0-7_]+$/,
  resolve: (text) => Number(text.replaceAll('_', '').replace(/^([-+]?)0o/, '0o')) * (text.startsWith('-') ? -1 : 1),
};

function withDigits<T extends CollectionTag | ScalarTag>(tag: T): T {
  if (tag.tag !== 'tag:yaml.org,2002:float' || !('test' in tag) || !(tag.test?.test('.') ?? false)) return tag;
  return { ...tag, test: /^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)$/ };
}
