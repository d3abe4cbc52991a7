/**
 * Decides requests by IAM's documented rules, for policies of this repository. Strict: an element, operator, condition key or
 * variable that it does not know is an error, never a guess. Where the documents leave room it takes what allows more.
 * (LocalStack's free edition does not implement SimulateCustomPolicy, and evaluates no conditions.)
 */

/** A request as IAM sees it. Keys of the context in any case; a list for keys that hold several values. */
export interface IamRequest {
  action: string;
  resource: string;
  context: Record<string, string | readonly string[]>;
}

export type Decision = 'allowed' | 'implicitly denied' | 'explicitly denied';

type Block = Record<string, Record<string, string | readonly string[]>>;
interface IamStatement {
  Effect: string;
  Action: string | readonly string[];
  Resource: string | readonly string[];
  Condition?: Block;
}

/** Keys that hold several values in one request: compared with `ForAllValues` or `ForAnyValue` only. */
const lists = new Set(['dynamodb:leadingkeys', 'aws:tagkeys', 'kms:encryptioncontextkeys']);
/** The others that our policies may ask for. */
const singles =
  /^(aws:principaltag\/|aws:requesttag\/|kms:encryptioncontext:)[^\s]+$|^(aws:sourceaccount|aws:sourcearn|aws:securetransport|lambda:sourcefunctionarn|kms:signingalgorithm|kms:messagetype|kms:viaservice|sts:externalid)$/;
const elements = new Set(['Sid', 'Effect', 'Action', 'Resource', 'Condition']);

/**
 * What a role's policies and its session's policy decide together: an explicit denial in any of them wins; otherwise each of
 * the two sides must allow. Without `session` the role's policies decide alone.
 */
export function decide(policies: { role: readonly unknown[]; session?: unknown }, request: IamRequest): Decision {
  const role = policies.role.map((document) => effectsOf(document, request));
  const session = policies.session === undefined ? undefined : effectsOf(policies.session, request);
  const all = [...role, ...(session === undefined ? [] : [session])];
  if (all.some(({ denies }) => denies)) return 'explicitly denied';
  const isAllowed = role.some(({ allows }) => allows) && (session === undefined || session.allows);
  return isAllowed ? 'allowed' : 'implicitly denied';
}

function effectsOf(document: unknown, request: IamRequest): { allows: boolean; denies: boolean } {
  const { Version, Statement, ...rest } = document as { Version?: unknown; Statement?: unknown };
  if (Version !== '2012-10-17') throw new Error(`a policy of version ${String(Version)} knows no variables`);
  if (Object.keys(rest).length > 0) throw new Error(`unknown elements ${Object.keys(rest).join()}`);
  const statements = (Array.isArray(Statement) ? Statement : [Statement]) as IamStatement[];
  // All of them are read, so that none goes unnoticed because another one decided.
  const matching = statements.filter((statement) => matches(statement, request));
  return {
    allows: matching.some(({ Effect }) => Effect === 'Allow'),
    denies: matching.some(({ Effect }) => Effect === 'Deny'),
  };
}

function matches(statement: IamStatement, request: IamRequest): boolean {
  const unknown = Object.keys(statement).filter((name) => !elements.has(name));
  if (unknown.length > 0) throw new Error(`unknown elements ${unknown.join()}`);
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny')
    throw new Error(`unknown effect ${statement.Effect}`);
  const context = lowerKeys(request.context);
  const parts = [
    listOf(statement.Action).some((pattern) => like(pattern.toLowerCase(), request.action.toLowerCase())),
    listOf(statement.Resource).some((pattern) => {
      const filled = fill(pattern, context);
      return filled !== undefined && like(filled, request.resource);
    }),
    ...Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
      Object.entries(keys).map(([key, wanted]) => holds(operator, key, listOf(wanted), context)),
    ),
  ];
  return parts.every(Boolean);
}

/** One operator over one key: any of the wanted values will do. */
function holds(
  operator: string,
  name: string,
  wanted: readonly string[],
  context: ReadonlyMap<string, string | readonly string[]>,
): boolean {
  const key = name.toLowerCase();
  if (!lists.has(key) && !singles.test(key)) throw new Error(`unknown condition key ${name}`);
  const given = context.get(key);
  const values = given === undefined ? [] : typeof given === 'string' ? [given] : [...given];
  const [set, compare] = operator.includes(':') ? operator.split(':') : [undefined, operator];
  if (compare === 'Null') {
    if (set !== undefined || wanted.some((one) => one !== 'true' && one !== 'false'))
      throw new Error('Null asks true or false');
    return wanted.includes(String(values.length === 0));
  }
  if (lists.has(key) !== (set !== undefined)) throw new Error(`${operator} does not fit ${name}`);
  const isOne = (value: string) => wanted.some((pattern) => equal(compare ?? '', pattern, value, context));
  // Documented: true where the key is absent. The guard against that is Null.
  if (set === 'ForAllValues') return values.every(isOne);
  if (set !== undefined && set !== 'ForAnyValue') throw new Error(`unknown operator ${operator}`);
  return values.some(isOne);
}

function equal(
  operator: string,
  pattern: string,
  value: string,
  context: ReadonlyMap<string, string | readonly string[]>,
): boolean {
  const filled = fill(pattern, context);
  if (operator === 'StringEquals') return filled === value;
  if (operator === 'StringLike') return filled !== undefined && like(filled, value);
  // Both of these take wildcards, in each of the six parts of an ARN by itself.
  if (operator === 'ArnEquals' || operator === 'ArnLike') return filled !== undefined && likeArn(filled, value);
  if (operator === 'Bool') return filled?.toLowerCase() === value.toLowerCase();
  throw new Error(`unknown operator ${operator}`);
}

/**
 * The text with its variables' values; undefined where one is absent: then nothing matches. Wildcards in a value are taken
 * as wildcards, so that a tag that could hold one shows what it would open.
 */
function fill(text: string, context: ReadonlyMap<string, string | readonly string[]>): string | undefined {
  let isComplete = true;
  const filled = text.replaceAll(/\$\{([^}]*)\}/g, (_all, name: string) => {
    const key = name.toLowerCase();
    if (!singles.test(key)) throw new Error(`unknown variable ${name}`);
    const value = context.get(key);
    if (typeof value !== 'string') isComplete = false;
    return String(value);
  });
  if (filled.includes('${')) throw new Error(`a variable without an end in ${text}`);
  return isComplete ? filled : undefined;
}

/** `*` any characters, `?` any one. */
function like(pattern: string, value: string): boolean {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '[^]*').replaceAll('?', '[^]')}$`).test(value);
}

function likeArn(pattern: string, value: string): boolean {
  const [patterns, values] = [pattern, value].map((arn) => {
    const parts = arn.split(':');
    return [...parts.slice(0, 5), parts.slice(5).join(':')];
  }) as [string[], string[]];
  return patterns.every((part, at) => like(part, values[at] ?? ''));
}

function lowerKeys(context: IamRequest['context']): Map<string, string | readonly string[]> {
  return new Map(Object.entries(context).map(([key, value]) => [key.toLowerCase(), value]));
}

function listOf(value: string | readonly string[]): readonly string[] {
  if (value === undefined) throw new Error('a statement has Effect, Action and Resource');
  return typeof value === 'string' ? [value] : value;
}
