import { decide, type IamRequest } from './iam-evaluate.ts';

interface Statement {
  Sid: string;
  Effect: string;
  Action: readonly string[];
  Resource: readonly string[];
  Condition?: Record<string, Record<string, string | readonly string[]>>;
}

/** Condition keys of which each value is a right of its own. */
const splittable = new Set(['dynamodb:LeadingKeys', 'kms:EncryptionContext:hawser:context']);

/**
 * Rights of a policy that none of these requests needed: `SID ACTION`, `SID RESOURCE` or `SID PATTERN` for each action,
 * resource and pattern of keys of the statements that allow.
 */
export function unusedRights(document: { Statement: readonly Statement[] }, requests: readonly IamRequest[]): string[] {
  const each = requests.flatMap(split);
  return document.Statement.filter(({ Effect }) => Effect === 'Allow').flatMap((statement) =>
    rightsOf(statement).flatMap(([name, alone]) => (isUsed(alone, each) ? [] : [`${statement.Sid} ${name}`])),
  );
}

/** One request for each partition, so that a batch of several shows which patterns it needs. */
function split(request: IamRequest): IamRequest[] {
  const keys = request.context['dynamodb:LeadingKeys'];
  if (keys === undefined || typeof keys === 'string') return [request];
  return keys.map((key) => ({ ...request, context: { ...request.context, 'dynamodb:LeadingKeys': [key] } }));
}

function rightsOf(statement: Statement): [string, Statement][] {
  const conditions = Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
    Object.entries(keys).flatMap(([key, values]) =>
      operator !== 'Null' && splittable.has(key)
        ? [values].flat().map((value): [string, Statement] => [
            value,
            {
              ...statement,
              Condition: { ...statement.Condition, [operator]: { ...keys, [key]: [value] } },
            },
          ])
        : [],
    ),
  );
  return [
    ...statement.Action.map((action): [string, Statement] => [action, { ...statement, Action: [action] }]),
    ...statement.Resource.map((resource): [string, Statement] => [resource, { ...statement, Resource: [resource] }]),
    ...conditions,
  ];
}

function isUsed(statement: Statement, requests: readonly IamRequest[]): boolean {
  const document = { Version: '2012-10-17', Statement: [statement] };
  return requests.some((request) => decide({ role: [document] }, request) === 'allowed');
}
