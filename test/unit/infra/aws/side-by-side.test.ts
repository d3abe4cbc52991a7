import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAgentSettings } from '#infra/aws/agent-access-stack.ts';
import { namesOf } from '#infra/aws/names.ts';
import { everything, minimal, synthesise, type Resource, type Synthesised } from './deployment.ts';

/** Kinds that an account has once, whatever the region of the stack that makes them. */
const global = /^AWS::(IAM|CloudWatch::Dashboard|CloudFront|Route53)/;
/** Its name is a family's: every deployment adds a version. */
const versioned = 'AWS::Lambda::LayerVersion';
/** Properties that hold the name of something else. */
const pointing = new Set(['AWS::Lambda::EventSourceMapping', 'AWS::Lambda::Permission', 'AWS::EC2::FlowLog']);

const west = {
  region: 'eu-west-1',
  domain: 'hawser-west.example.com',
  certificateArn: 'arn:aws:acm:eu-west-1:123456789012:certificate/0a',
};
const home = {
  region: 'us-east-1',
  domain: 'hawser-us.example.com',
  certificateArn: everything['wafCertificateArn'] ?? '',
};

describe('several deployments in one account', () => {
  const made: Synthesised[] = [];
  beforeAll(() => {
    for (const more of [{}, { environment: 'dev', domain: 'hawser-dev.example.com' }, west, home])
      made.push(synthesise({ ...everything, ...more }));
  }, 240_000);
  afterAll(() => {
    for (const one of made) one.remove();
  });

  test('share no name: of stacks, exports, or resources, neither in a region nor in the account', () => {
    const names = made.flatMap((one) =>
      one.artifacts.flatMap((artifact, index) => {
        const { Resources: resources, Outputs: outputs = {} } = one.all[index] ?? { Resources: {} };
        const { region } = artifact.environment;
        const exported = Object.values(outputs).flatMap(({ Export }) => (Export === undefined ? [] : [Export.Name]));
        return [
          `${region} stack ${artifact.stackName}`,
          ...exported.map((name) => `${region} export ${name}`),
          ...Object.values(resources).flatMap((resource) =>
            nameIn(resource).map(
              (name) => `${global.test(resource.Type) ? 'account' : region} ${resource.Type} ${name}`,
            ),
          ),
        ];
      }),
    );

    expect(names.length).toBeGreaterThan(400);
    expect(names.filter((name, index) => names.indexOf(name) < index)).toEqual([]);
  });

  test('no name is too long for what it names, however long environment and region are', () => {
    const longest = { ...minimal, environment: 'a'.repeat(20), region: 'ap-southeast-1', organisation: 'acme' };
    const one = synthesise(longest);
    const most: Record<string, number> = {
      'AWS::IAM::Role': 64,
      'AWS::Lambda::Function': 64,
      'AWS::SQS::Queue': 80,
      'AWS::Scheduler::Schedule': 64,
      'AWS::Events::Rule': 64,
    };

    for (const resource of one.all.flatMap(({ Resources }) => Object.values(Resources)))
      for (const name of nameIn(resource)) expect(name.length, name).toBeLessThanOrEqual(most[resource.Type] ?? 255);
    expect(namesOf(longest).wake('one').length).toBeLessThanOrEqual(80);
    one.remove();
  }, 120_000);

  test('their roles cannot be taken for one another: no name of one is covered by a wildcard of another', () => {
    const places = made.map(({ stacks }) => namesOf({ ...stacks.compute.place }).role(''));

    for (const beginning of places) expect(places.filter((other) => other.startsWith(beginning))).toEqual([beginning]);
    expect(() => readAgentSettings((key) => ({ ...minimal, environment: 'prod-eu' })[key])).toThrow('is no name');
  });
});

/** Names that we chose: properties such as `TableName` or `Name` with text in them. */
function nameIn({ Type: type, Properties: properties = {} }: Resource): string[] {
  if (pointing.has(type) || type === versioned) return [];
  return Object.entries(properties).flatMap(([key, value]) =>
    key.endsWith('Name') &&
    !/^(Metric|Stage|Attribute)Name$/.test(key) &&
    typeof value === 'string' &&
    value !== '$default'
      ? [value]
      : [],
  );
}
