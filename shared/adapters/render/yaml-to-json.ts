import { isAlias, isMap, isScalar, isSeq, parseDocument, Schema, type Node, type Pair, type Scalar } from 'yaml';
import { limitError, type RenderLimits } from './limits.ts';
import type { JsonMap, JsonTree } from './json-tree.ts';
import { isProvenText } from './yaml-subset.ts';
import { isReadDifferently, isWrittenDifferently, plainKey, resolvePlain, unproven } from './yaml-scalars.ts';

/**
 * One YAML document as kubectl reads it (sigs.k8s.io/yaml: go-yaml v2), or undefined where the text leaves the subset
 * that is proved equal (tags, complex keys, odd directives, anything that the parser reports): ask kubectl then.
 * Throws `render-limit` past LIM-12; aliases are counted before they are expanded.
 */
export function yamlToTree(text: string, limits: Pick<RenderLimits, 'nodesPerObject' | 'depth'>): JsonTree | undefined {
  return readYaml(text, limits, false);
}

/**
 * As `yamlToTree`, but undefined also where other YAML readers (go-yaml v3 inside kustomize) read or write the text
 * differently: words like `yes`, unusual numbers, dates, anchors, merges, repeated keys, odd line breaks in texts.
 */
export function yamlToPlainTree(
  text: string,
  limits: Pick<RenderLimits, 'nodesPerObject' | 'depth'>,
): JsonTree | undefined {
  return readYaml(text, limits, true);
}

function readYaml(text: string, limits: Walk['limits'], isStrict: boolean): JsonTree | undefined {
  if (!isProvenText(text)) return undefined;
  const document = parseDocument(text, parseOptions);
  if (document.errors.length > 0 || document.warnings.length > 0) return undefined;
  if (document.contents === null) return text.includes('\t') ? undefined : null;
  if (isScalar(document.contents) && document.contents.type?.startsWith('BLOCK') === true) return undefined;
  const walk: Walk = {
    text,
    limits,
    isStrict,
    anchors: new Map(),
    open: new Set(),
    column: 0,
    nodes: 0,
    aliased: 0,
    inAlias: 0,
    tabs: 0,
  };
  const tree = convert(walk, document.contents as Node, 1);
  if (tree === unproven || walk.tabs !== countTabs(text)) return undefined;
  return tree;
}

const parseOptions = {
  schema: new Schema({ schema: 'failsafe' }) as unknown as 'failsafe',
  keepSourceTokens: false,
  prettyErrors: false,
  uniqueKeys: false,
  logLevel: 'silent',
} as const;

interface Walk {
  text: string;
  limits: Pick<RenderLimits, 'nodesPerObject' | 'depth'>;
  isStrict: boolean;
  anchors: Map<string, Node>;
  /** Anchored nodes that are being converted: an alias to one of them would never end. */
  open: Set<Node>;
  /** Column that continuation lines of a plain scalar must reach to belong to it for every parser. */
  column: number;
  nodes: number;
  aliased: number;
  inAlias: number;
  /** Tabs that lie where a tab is content. */
  tabs: number;
}

type Converted = JsonTree | typeof unproven;

function convert(walk: Walk, node: Node | null, depth: number): Converted {
  if (depth > walk.limits.depth) throw limitError('depth', walk.limits.depth);
  walk.nodes += 1;
  if (walk.nodes > walk.limits.nodesPerObject) throw limitError('nodesPerObject', walk.limits.nodesPerObject);
  if (node === null) return null;
  if (isAlias(node)) return convertAlias(walk, node.source, depth);
  if (walk.inAlias > 0) {
    walk.aliased += 1;
    // Near go-yaml's own refusal («excessive aliasing») only go-yaml decides.
    if (walk.aliased > 100 && walk.aliased > walk.nodes * 0.9) return unproven;
  }
  if (!isPlainNode(node)) return unproven;
  if (walk.isStrict && node.anchor !== undefined) return unproven;
  if (node.anchor === undefined) return convertContent(walk, node, depth);
  if (walk.inAlias === 0) {
    if (!/^[\w-]+$/.test(node.anchor) || !/\s/.test(walk.text[(node.range?.[0] ?? 0) - 1] ?? '')) return unproven;
    walk.anchors.set(node.anchor, node);
  }
  walk.open.add(node);
  const tree = convertContent(walk, node, depth);
  walk.open.delete(node);
  return tree;
}

function convertContent(walk: Walk, node: Node, depth: number): Converted {
  if (isScalar(node)) return convertScalar(walk, node);
  if (isMap(node)) return convertMap(walk, node.items as Pair<Node, Node | null>[], node.flow === true, depth);
  if (isSeq(node)) return convertSequence(walk, node.items as (Node | null)[], node.flow === true, depth);
  return unproven;
}

function convertAlias(walk: Walk, name: string, depth: number): Converted {
  const target = walk.anchors.get(name);
  if (target === undefined || walk.open.has(target)) return unproven;
  walk.inAlias += 1;
  const tree = convert(walk, target, depth);
  walk.inAlias -= 1;
  return tree;
}

function convertScalar(walk: Walk, node: Scalar): Converted {
  const value = node.value as string;
  const isBlock = node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED';
  if (!isBlock && !isProvenFolding(walk, node)) return unproven;
  if (node.type === 'PLAIN') {
    return isProvenPlain(value) && !(walk.isStrict && isReadDifferently(value)) ? resolvePlain(value) : unproven;
  }
  if (walk.isStrict && (node.type === 'BLOCK_FOLDED' || isWrittenDifferently(value))) return unproven;
  if (walk.inAlias === 0 && node.range) {
    const source = walk.text.slice(node.range[0], node.range[1]);
    if (isBlock && !isProvenBlock(source + blanksAfter(walk.text, node.range[1]))) return unproven;
    if (isBlock && walk.isStrict && /^.[-\d]*\+/.test(source)) return unproven;
    if (isBlock) walk.tabs += countTabs(source);
    else if (!isProvenQuoted(source)) return unproven;
    else if (!source.includes('\n')) walk.tabs += countTabs(source);
  }
  return value;
}

function convertSequence(walk: Walk, items: (Node | null)[], isFlow: boolean, depth: number): Converted {
  const list: JsonTree[] = [];
  for (const item of items) {
    if (isFlow && !isProvenInFlow(walk, item)) return unproven;
    walk.column = isFlow ? Infinity : columnOf(walk.text, item);
    const tree = convert(walk, item, depth + 1);
    if (tree === unproven) return unproven;
    list.push(tree);
  }
  return list;
}

function convertMap(walk: Walk, pairs: Pair<Node, Node | null>[], isFlow: boolean, depth: number): Converted {
  const map: JsonMap = new Map();
  for (const { key, value } of pairs) {
    if (isFlow && !(isProvenInFlow(walk, key) && isProvenInFlow(walk, value))) return unproven;
    if (!isScalar(key) || !isPlainNode(key) || key.anchor !== undefined) return unproven;
    if (key.type === 'PLAIN' && key.value === '<<') {
      if (walk.isStrict || !mergeInto(walk, map, value, depth)) return unproven;
      continue;
    }
    const name = keyText(walk, key);
    walk.column = isFlow ? Infinity : columnOf(walk.text, key) + 1;
    const tree = name === undefined ? unproven : convert(walk, value, depth + 1);
    if (name === undefined || tree === unproven || (walk.isStrict && map.has(name))) return unproven;
    map.set(name, tree);
  }
  return map;
}

function keyText(walk: Walk, key: Scalar): string | undefined {
  const value = key.value as string;
  const [start = 0, end = 0] = key.range ?? [];
  if (value.length > 900 || walk.text.slice(start, end).includes('\n')) return undefined;
  const colon = key.type === 'PLAIN' ? spacedColon : anyColon;
  colon.lastIndex = end;
  if (!colon.test(walk.text)) return undefined;
  if (key.type === 'PLAIN' && walk.isStrict && (isReadDifferently(value) || typeof resolvePlain(value) !== 'string'))
    return undefined;
  if (key.type === 'PLAIN') return isProvenPlain(value) ? plainKey(value) : undefined;
  if (key.type !== 'QUOTE_DOUBLE' && key.type !== 'QUOTE_SINGLE') return undefined;
  return convertScalar(walk, key) === unproven ? undefined : value;
}

/** `<<`: go-yaml v2 sets the merged keys where the merge stands, so later keys win and earlier ones lose. */
function mergeInto(walk: Walk, map: JsonMap, value: Node | null, depth: number): boolean {
  const sources = isSeq(value) ? value.items.toReversed() : [value];
  for (const source of sources as (Node | null)[]) {
    const merged = convert(walk, source, depth + 1);
    if (!(merged instanceof Map)) return false;
    for (const [key, inner] of merged) map.set(key, inner);
  }
  return true;
}

const spacedColon = /[ \t]*:\s/y;
const anyColon = /[ \t]*:/y;

function columnOf(text: string, node: Node | null): number {
  const start = node?.range?.[0] ?? 0;
  return start - (text.lastIndexOf('\n', start - 1) + 1);
}

function isPlainNode(node: Node): boolean {
  return !('tag' in node) || node.tag === undefined;
}

/** Plain scalars that start with an indicator mean different things to different YAML versions. */
function isProvenPlain(value: string): boolean {
  return !/^[?:%@`!&*|>'"[\]{},#]/.test(value) && !/^-(?:\s|$)/.test(value);
}

/** Block scalars whose indentation both parsers find alike: no tab in the first line, no blanks alone after `|2`. */
function isProvenBlock(source: string): boolean {
  if (!/^[|>][-+\d]*(?: *| +#.*)\n/.test(source)) return false;
  const body = source.indexOf('\n') + 1;
  if (/^\s*?\n? *\t/.test(source.slice(body))) return false;
  return !/\d/.test(source.slice(0, body).replace(/#.*/, '')) || !/^ +$/m.test(source.slice(body));
}

/** Flow scalars over several lines: every line must be indented so far that no parser doubts whose it is. */
function isProvenFolding(walk: Walk, node: Scalar): boolean {
  if (!node.range || walk.inAlias > 0) return true;
  const source = walk.text.slice(node.range[0], node.range[1]);
  if (!source.includes('\n')) return true;
  const continued = source.split('\n').slice(1);
  return continued.every((line) => line.trim() === '' || line.search(/[^ ]/) >= walk.column);
}

function blanksAfter(text: string, from: number): string {
  const blanks = /\s*/y;
  blanks.lastIndex = from;
  return blanks.exec(text)?.[0] ?? '';
}

/** Quoted scalars that end where they seem to, with escapes that YAML 1.1 and 1.2 read alike. */
function isProvenQuoted(source: string): boolean {
  if (source.startsWith("'")) return /^'[^']*(?:''[^']*)*'$/.test(source);
  if (!/^"[^"\\]*(?:\\[^][^"\\]*)*"$/.test(source)) return false;
  if (!source.includes('\\')) return true;
  if (/\\\n[ \t]*\n/.test(source)) return false;
  return !/\\(?:[^"\\ntrbfae0xuU\n]|u(?:[dD][89a-fA-F]|[fF]{3}[eEfF])|U(?!000[0-9a-fA-F]{5}|0010)|[xU][^0-9a-fA-F])/.test(
    source.replaceAll('\\\\', ''),
  );
}

/** In flow collections YAML 1.1 and 1.2 differ on `:` and `?` in plain scalars, and on pairs without braces. */
function isProvenInFlow(walk: Walk, node: Node | null): boolean {
  if (node === null || isAlias(node)) return false;
  if (isScalar(node) && node.type === 'PLAIN') {
    const value = node.value as string;
    return value !== '' && !/\?|:(?:[\s,[\]{}]|$)/.test(value);
  }
  return !isMap(node) || walk.text[node.range?.[0] ?? 0] === '{';
}

function countTabs(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\t'); at >= 0; at = text.indexOf('\t', at + 1)) count += 1;
  return count;
}
