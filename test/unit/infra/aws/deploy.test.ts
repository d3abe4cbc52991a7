import { describe, expect, test } from 'vitest';
import {
  decide,
  deployCalls,
  farewell,
  lossesIn,
  outputOf,
  readRequest,
  type DeployRequest,
} from '#infra/aws/deploy-plan.ts';

const argv = ['-c', 'environment=prod', '-c', 'region=eu-central-1', '-c', 'organisation=acme'];

describe('npm run deploy:aws', () => {
  test('reads what to deploy, and hands the context on as it was given', () => {
    const request = readRequest([...argv, '--profile', 'work', '--yes']);

    expect(request).toMatchObject({
      settings: { environment: 'prod', region: 'eu-central-1', organisation: 'acme' },
      context: ['environment=prod', 'region=eu-central-1', 'organisation=acme'],
      profile: 'work',
      yes: true,
    });
    expect(readRequest(['--help'])).toBeUndefined();
  });

  test.each([
    [['-c', 'environment'], 'is not KEY=VALUE'],
    [[...argv, '-c', 'enviroment=prod'], 'there is no such key'],
    [['--force'], '--force'],
    [['-c', 'environment=prod'], 'region is missing'],
  ])('%o is refused before anything is built: %s', (given, message) => {
    expect(() => readRequest(given)).toThrow(message);
  });

  test('sees in a comparison what would be replaced or removed, and nothing else', () => {
    const diff = [
      'Stack hawser-prod-state',
      'Resources',
      '[~] AWS::DynamoDB::Table Table TableCD117FA1 replace',
      '[~] AWS::Lambda::LayerVersion KubectlLayer KubectlLayer1 replace',
      ' └─ [~] TableName (requires replacement)',
      '[~] AWS::Lambda::Function Plan PlanDAF4E53A',
      '[+] AWS::SQS::Queue QueueNew QueueNew123',
      '[-] AWS::IAM::Role OldRole OldRole1 destroy',
      '[-] AWS::SQS::Queue QueueHints QueueHints806AEF1B orphan',
      '\u001B[33m[~]\u001B[39m AWS::IAM::Role A A1 may be replaced',
    ].join('\n');

    expect(lossesIn(diff)).toEqual([
      'replace: AWS::DynamoDB::Table Table TableCD117FA1',
      'destroy: AWS::IAM::Role OldRole OldRole1',
      'may be replaced: AWS::IAM::Role A A1',
    ]);
    expect(lossesIn('There were no differences')).toEqual([]);
  });

  test.each([
    [[], { yes: false, terminal: false }, 'go'],
    [['x'], { yes: false, terminal: true }, 'ask'],
    [['x'], { yes: false, terminal: false }, 'refuse'],
    [['x'], { yes: true, terminal: false }, 'go'],
  ] as const)('%j with %o: %s', (losses, who, decision) => {
    expect(decide(losses, who)).toBe(decision);
  });

  test('with a WebACL the stack before the API comes second, and is told where the API is', () => {
    const plain = deployCalls(requested([]), '/out.json');
    const front = deployCalls(requested(['-c', 'waf=on']), '/out.json').front?.(
      'abc.execute-api.eu-central-1.amazonaws.com',
    );

    expect(plain.front).toBeUndefined();
    expect(plain.main.args.slice(0, 5)).toEqual(['deploy', 'State', 'Compute', 'Edge', 'Observability']);
    expect(plain.main.args).toContain('--import-existing-resources');
    expect(front?.args).toContain('hawser-prod-front-eu-central-1:ApiHost=abc.execute-api.eu-central-1.amazonaws.com');
  });

  test('shows the token that prepare answers, and says how to get another where there is none', () => {
    const first = farewell('https://h', { organisation: 'acme', token: 'hawser_acme_x' }, 'AGAIN');
    const later = farewell('https://h', { organisation: 'acme' }, 'AGAIN');

    expect(first).toContain('hawser_acme_x');
    expect(first).not.toContain('AGAIN');
    expect(later).toContain('AGAIN');
    expect(later).not.toContain('hawser_acme_x');
  });

  test('names the stack where an output is missing', () => {
    expect(outputOf({ 'hawser-prod-edge': { Url: 'u' } }, requested([]), 'edge', 'Url')).toBe('u');
    expect(() => outputOf({}, requested([]), 'edge', 'Url')).toThrow('hawser-prod-edge');
  });
});

function requested(more: string[]): DeployRequest {
  const read = readRequest([...argv, ...more]);
  if (read === undefined) throw new Error('help was asked for');
  return read;
}
