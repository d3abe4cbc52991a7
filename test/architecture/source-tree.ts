import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { parseSync } from 'vite';

export const root = join(import.meta.dirname, '../..');

/** One import or re-export, as written and as resolved. */
export interface Import {
  from: string;
  line: number;
  /** As written: `./plan.ts`, `#shared/errors.ts`, `zod`, `node:crypto`. */
  specifier: string;
  /** A path from the repository's root, `node:NAME`, or `npm:NAME`. */
  to: string;
  /** True where nothing of it is left at run time. */
  typeOnly: boolean;
  /** True for `import()`: loaded when it is needed, so no circle while loading. */
  later: boolean;
}

export interface FunctionSize {
  name: string;
  line: number;
  /** All lines, and those without the functions declared inside: a factory is the sum of its functions. */
  lines: number;
  ownLines: number;
}

/** One source file, read and parsed. */
export interface SourceFile {
  path: string;
  text: string;
  /** Without blank lines and lines that hold only a comment. */
  lines: number;
  imports: Import[];
  functions: FunctionSize[];
  /** True for `export default`. */
  hasDefaultExport: boolean;
  /** True where the file holds nothing but re-exports. */
  isBarrel: boolean;
  /** Lines that read `process.env`. */
  environmentReads: number[];
}

interface Node {
  type: string;
  start: number;
  end: number;
  [key: string]: unknown;
}

const areas = ['shared', 'functions', 'agent', 'cli', 'dashboard', 'infra', 'localstack', 'test'];
let cached: SourceFile[] | undefined;

/** Every TypeScript file of the repository, in path order. */
export function sourceFiles(): SourceFile[] {
  cached ??= areas
    .flatMap((area) =>
      globSync(`${area}/**/*.{ts,tsx}`, { cwd: root, exclude: (path) => /(^|\/)(node_modules|dist)(\/|$)/.test(path) }),
    )
    .toSorted()
    .map((path) => readSource(path, readFileSync(join(root, path), 'utf8')));
  return cached;
}

/** Parses one file. Throws where it is not TypeScript. */
export function readSource(path: string, text: string): SourceFile {
  const { program, errors, comments } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const tree = program as unknown as Node;
  const code = withoutComments(text, comments);
  const file: SourceFile = {
    path,
    text,
    lines: codeLines(code),
    imports: [],
    functions: [],
    hasDefaultExport: false,
    isBarrel: isBarrel(tree),
    environmentReads: [],
  };
  walk(tree, undefined, (node, parent) => visit(file, code, node, parent));
  return file;
}

function visit(file: SourceFile, code: string, node: Node, parent: Node | undefined): void {
  const line = () => lineAt(file.text, node.start);
  const specifier = specifierOf(node);
  if (specifier !== undefined) {
    const to = resolveSpecifier(file.path, specifier);
    file.imports.push({
      from: file.path,
      line: line(),
      specifier,
      to,
      typeOnly: isTypeOnly(node),
      later: node.type === 'ImportExpression',
    });
  }
  if (node.type === 'ExportDefaultDeclaration') file.hasDefaultExport = true;
  if (isEnvironmentRead(node)) file.environmentReads.push(line());
  if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) {
    const lines = codeLines(code.slice(node.start, node.end));
    const inner = innerFunctions(node).map(({ start, end }) => codeLines(code.slice(start, end)));
    const ownLines = lines - inner.reduce((sum, count) => sum + count, 0);
    file.functions.push({ name: functionName(node, parent), line: line(), lines, ownLines });
  }
}

/** Source of `import`, `export … from`, `import()` and `import('…')` in types, where it is a plain string. */
function specifierOf(node: Node): string | undefined {
  const holder = node.type === 'TSImportType' ? (node['source'] ?? node['argument']) : node['source'];
  const types = [
    'ImportDeclaration',
    'ExportNamedDeclaration',
    'ExportAllDeclaration',
    'ImportExpression',
    'TSImportType',
  ];
  if (!types.includes(node.type) || holder === null || typeof holder !== 'object') return undefined;
  const literal = holder as { value?: unknown; literal?: { value?: unknown } };
  const value = literal.value ?? literal.literal?.value;
  return typeof value === 'string' ? value : undefined;
}

function isTypeOnly(node: Node): boolean {
  if (node.type === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type') return true;
  const specifiers = (node['specifiers'] ?? []) as Node[];
  const kinds = specifiers.map((specifier) => specifier['importKind'] ?? specifier['exportKind']);
  return kinds.length > 0 && kinds.every((kind) => kind === 'type');
}

function resolveSpecifier(from: string, specifier: string): string {
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier));
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (specifier.startsWith('node:') || builtinModules.includes(specifier))
    return `node:${specifier.replace(/^node:/, '')}`;
  const parts = specifier.split('/');
  return `npm:${specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]}`;
}

function isEnvironmentRead(node: Node): boolean {
  if (node.type !== 'MemberExpression') return false;
  const [object, property] = [node['object'] as Node, node['property'] as Node];
  return object['name'] === 'process' && property['name'] === 'env';
}

function isBarrel(program: Node): boolean {
  const body = program['body'] as Node[];
  return body.length > 0 && body.every((node) => node.type.startsWith('Export') && (node['source'] ?? null) !== null);
}

function functionName(node: Node, parent: Node | undefined): string {
  const named = (node['id'] ?? parent?.['id'] ?? parent?.['key']) as { name?: string } | null | undefined;
  return named?.name ?? 'anonymous';
}

/** The function declarations directly inside a function. */
function innerFunctions(node: Node): Node[] {
  const block = node['body'] as Node;
  if (block.type !== 'BlockStatement') return [];
  return (block['body'] as Node[]).filter((statement) => statement.type === 'FunctionDeclaration');
}

function walk(node: Node, parent: Node | undefined, see: (node: Node, parent: Node | undefined) => void): void {
  see(node, parent);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (child !== null && typeof child === 'object' && typeof (child as Node).type === 'string')
        walk(child as Node, node, see);
    }
  }
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** The text with its comments blanked out, so that offsets stay true. */
function withoutComments(text: string, comments: readonly { start: number; end: number }[]): string {
  let code = text;
  for (const { start, end } of comments) {
    code = code.slice(0, start) + code.slice(start, end).replaceAll(/[^\n]/g, ' ') + code.slice(end);
  }
  return code;
}

function codeLines(code: string): number {
  return code.split('\n').filter((line) => line.trim() !== '').length;
}
