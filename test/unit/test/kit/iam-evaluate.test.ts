import { describe, expect, it } from 'vitest';
import { decide, type IamRequest } from '#test/kit/iam-evaluate.ts';

const key = 'dynamodb:LeadingKeys';
const tag = 'aws:PrincipalTag/cluster';

function allow(more: object = {}): object {
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'dynamodb:GetItem', Resource: '*', ...more }],
  };
}

function get(context: IamRequest['context'] = {}, resource = 'arn:aws:dynamodb:r:1:table/t'): IamRequest {
  return { action: 'dynamodb:GetItem', resource, context };
}

function decided(policy: object, request: IamRequest): string {
  return decide({ role: [policy] }, request);
}

/** IAM User Guide: «Policy evaluation logic», «Session policies». */
describe('decisions follow what IAM documents', () => {
  const deny = { Version: '2012-10-17', Statement: { Effect: 'Deny', Action: '*', Resource: '*' } };
  const other = allow({ Action: 'sqs:SendMessage' });
  it.each([
    ['nothing allows', { role: [] }, 'implicitly denied'],
    ['one of several policies allows', { role: [other, allow()] }, 'allowed'],
    ['a denial wins over an allowance', { role: [allow(), deny] }, 'explicitly denied'],
    ['the session must allow, too', { role: [allow()], session: other }, 'implicitly denied'],
    ['a session alone allows nothing', { role: [other], session: allow() }, 'implicitly denied'],
    ['both allow', { role: [allow()], session: allow() }, 'allowed'],
    ['a denial of the session wins', { role: [allow()], session: deny }, 'explicitly denied'],
  ])('%s', (_what, policies, decision) => {
    expect(decide(policies, get())).toBe(decision);
  });
});

/** IAM User Guide: «Action», «Resource». */
describe('actions and resources', () => {
  it.each([
    [{ Action: 'DynamoDB:getitem' }, 'allowed'],
    [{ Action: 'dynamodb:Get*' }, 'allowed'],
    [{ Action: ['dynamodb:Query', 'dynamodb:Scan'] }, 'implicitly denied'],
    [{ Resource: 'arn:aws:dynamodb:r:1:table/?' }, 'allowed'],
    [{ Resource: 'arn:aws:dynamodb:r:1:table/T' }, 'implicitly denied'],
    [{ Resource: 'arn:aws:dynamodb:r:1:table/t/index/*' }, 'implicitly denied'],
    [{ Resource: 'arn:aws:dynamodb:r:1:tableXt'.replace('X', '.') }, 'implicitly denied'],
  ])('%j', (more, decision) => {
    expect(decided(allow(more), get())).toBe(decision);
  });
});

/** IAM User Guide: «Condition operators», «Conditions with multiple context keys or values», «Set operators». */
describe('conditions', () => {
  const all = { 'ForAllValues:StringLike': { [key]: ['a#*', 'b'] } };
  const any = { 'ForAnyValue:StringEquals': { [key]: ['a', 'b'] } };
  const cases: [what: string, condition: object, context: IamRequest['context'], decision: string][] = [
    ['any of the values will do', { StringEquals: { [tag]: ['x', 'y'] } }, { [tag]: 'y' }, 'allowed'],
    ['values are compared by case', { StringEquals: { [tag]: 'X' } }, { [tag]: 'x' }, 'implicitly denied'],
    ['names of keys are not', { StringEquals: { [tag]: 'x' } }, { 'AWS:principaltag/Cluster': 'x' }, 'allowed'],
    ['no wildcards in StringEquals', { StringEquals: { [tag]: '*' } }, { [tag]: 'x' }, 'implicitly denied'],
    ['wildcards in StringLike', { StringLike: { [tag]: 'x-?*' } }, { [tag]: 'x-yz' }, 'allowed'],
    ['an absent key matches nothing', { StringLike: { [tag]: '*' } }, {}, 'implicitly denied'],
    [
      'all operators must hold',
      { StringEquals: { [tag]: 'x' }, Null: { [key]: 'false' } },
      { [tag]: 'x' },
      'implicitly denied',
    ],
    [
      'all keys of an operator must hold',
      { Null: { [tag]: 'false', [key]: 'false' } },
      { [tag]: 'x' },
      'implicitly denied',
    ],
    ['ForAllValues: all match', all, { [key]: ['a#1', 'b'] }, 'allowed'],
    ['ForAllValues: one does not', all, { [key]: ['a#1', 'c'] }, 'implicitly denied'],
    ['ForAllValues is true where the key is absent', all, {}, 'allowed'],
    ['ForAllValues is true where the list is empty', all, { [key]: [] }, 'allowed'],
    ['Null guards against that', { ...all, Null: { [key]: 'false' } }, {}, 'implicitly denied'],
    ['Null guards against an empty list', { ...all, Null: { [key]: 'false' } }, { [key]: [] }, 'implicitly denied'],
    ['Null lets a present key pass', { ...all, Null: { [key]: 'false' } }, { [key]: ['b'] }, 'allowed'],
    ['Null true asks for absence', { Null: { [tag]: 'true' } }, {}, 'allowed'],
    ['ForAnyValue: one matches', any, { [key]: ['b', 'c'] }, 'allowed'],
    ['ForAnyValue is false where the key is absent', any, {}, 'implicitly denied'],
    ['Bool', { Bool: { 'aws:SecureTransport': 'false' } }, { 'aws:SecureTransport': 'false' }, 'allowed'],
    [
      'ArnEquals takes wildcards part by part',
      { ArnEquals: { 'aws:SourceArn': 'arn:aws:eks:*:1:c/*' } },
      { 'aws:SourceArn': 'arn:aws:eks:r:1:c/x' },
      'allowed',
    ],
    [
      'but not across parts',
      { ArnEquals: { 'aws:SourceArn': 'arn:aws:*:c/x' } },
      { 'aws:SourceArn': 'arn:aws:eks:r:1:c/x' },
      'implicitly denied',
    ],
    [
      'a variable is its value',
      { 'ForAllValues:StringLike': { [key]: [`c#\${${tag}}#*`] } },
      { [key]: ['c#x#1'], [tag]: 'x' },
      'allowed',
    ],
    [
      'and no other',
      { 'ForAllValues:StringLike': { [key]: [`c#\${${tag}}#*`] } },
      { [key]: ['c#y#1'], [tag]: 'x' },
      'implicitly denied',
    ],
    [
      'a variable without value matches nothing',
      { 'ForAllValues:StringLike': { [key]: [`*\${${tag}}*`] } },
      { [key]: ['c'] },
      'implicitly denied',
    ],
  ];
  it.each(cases)('%s', (_what, Condition, context, decision) => {
    expect(decided(allow({ Condition }), get(context))).toBe(decision);
  });
});

describe('what is not known is an error', () => {
  it.each([
    ['an element', allow({ NotAction: 'x' }), /unknown elements NotAction/],
    ['a principal', allow({ Principal: '*' }), /unknown elements Principal/],
    ['an effect', allow({ Effect: 'Maybe' }), /unknown effect/],
    ['an operator', allow({ Condition: { StringMatches: { [tag]: 'x' } } }), /unknown operator/],
    ['IfExists', allow({ Condition: { StringEqualsIfExists: { [tag]: 'x' } } }), /unknown operator/],
    ['a set operator', allow({ Condition: { 'ForSomeValues:StringLike': { [key]: 'x' } } }), /unknown operator/],
    ['a condition key', allow({ Condition: { StringEquals: { 'aws:Moon': 'x' } } }), /unknown condition key/],
    ['a list without a set operator', allow({ Condition: { StringEquals: { [key]: 'x' } } }), /does not fit/],
    [
      'a set operator on one value',
      allow({ Condition: { 'ForAllValues:StringEquals': { [tag]: 'x' } } }),
      /does not fit/,
    ],
    ['a variable', allow({ Resource: '${aws:username}' }), /unknown variable/],
    ['a variable with a default', allow({ Resource: `\${${tag}, 'x'}` }), /unknown variable/],
    ['a version', { Version: '2008-10-17', Statement: [] }, /version/],
  ])('%s', (_what, policy, error) => {
    expect(() => decided(policy, get({ [tag]: 'x', [key]: ['x'] }))).toThrow(error);
  });
});
