import { describe, expect, test } from 'vitest';
import { estimate, inventoryOf, totalOf, type Inventory } from '#infra/aws/cost/estimate.ts';
import { printEstimate } from '#infra/aws/cost/print-estimate.ts';
import { prices } from '#infra/aws/cost/prices.ts';
import { countsOf, queueRequests, runsOf, sizes, tableUnits, type Usage } from '#infra/aws/cost/usage.ts';
import { functions } from '#infra/aws/functions.ts';

const usual: Usage = { ...(sizes[0] as Usage), clusters: 10 };
const inventory: Inventory = {
  counts: {
    'AWS::Lambda::Function': functions.length,
    'AWS::ApiGatewayV2::Api': 1,
    'AWS::SQS::Queue': 10,
    'AWS::KMS::Key': 2,
    'AWS::Scheduler::Schedule': 1,
    'AWS::CloudWatch::Dashboard': 1,
  },
  alarmMetrics: 50,
  webAclRules: 0,
};

describe('what happens in a month', () => {
  test('is counted from clusters, applications and pushes', () => {
    const counts = countsOf({ ...usual, clusters: 2, applicationsPerCluster: 10, pushesPerApplicationAndDay: 12 });

    expect(counts).toMatchObject({ applications: 20, repositories: 2, sweeps: 43_800 });
    expect(counts.pushes).toBeCloseTo((20 * 12 * 730) / 24);
    // 730 hours, every 30 seconds, two clusters.
    expect(counts.heartbeats).toBe(175_200);
  });

  test('grows with clusters as they do: twice as many speak twice as much', () => {
    const once = countsOf(usual);
    const twice = countsOf({ ...usual, clusters: 20 });

    expect(twice.heartbeats).toBe(once.heartbeats * 2);
    expect(twice.pushes).toBeCloseTo(once.pushes * 2);
    expect(twice.sweeps).toBe(once.sweeps);
    expect(tableUnits({ ...usual, clusters: 20 }, twice).writes).toBeGreaterThan(tableUnits(usual, once).writes);
  });

  test('agents over HTTPS ask the api instead of the queue and the table', () => {
    const direct = runsOf(usual, countsOf(usual));
    const https = runsOf({ ...usual, agents: 'https' }, countsOf({ ...usual, agents: 'https' }));

    expect(countsOf(usual).wakes).toBeGreaterThan(0);
    expect(countsOf({ ...usual, agents: 'https' }).wakes).toBe(0);
    expect(https['api']?.invocations).toBeGreaterThan((direct['api']?.invocations ?? 0) * 10);
  });

  test('every function of the deployment is counted', () => {
    expect(Object.keys(runsOf(usual, countsOf(usual))).toSorted()).toEqual(
      functions.map(({ name }) => name).toSorted(),
    );
  });

  test('idle pollers of queues cost something even where nothing is sent', () => {
    const idle = queueRequests({ ...usual, clusters: 0 }, countsOf({ ...usual, clusters: 0 }));

    expect(idle).toBeCloseTo(25 * ((730 * 3600) / 20));
  });
});

describe('the estimate', () => {
  test('is quantity times price, line by line', () => {
    for (const { price, quantity, usd } of estimate(inventory, usual)) {
      expect(usd).toBeCloseTo(quantity * prices[price].usd);
      expect(quantity).toBeGreaterThan(0);
    }
  });

  test('knows what a function costs from its memory and its runs', () => {
    const run = runsOf(usual, countsOf(usual))['publish'];
    const line = estimate(inventory, usual).find(({ what }) => what === 'function publish');

    const memoryGb = (functions.find(({ name }) => name === 'publish')?.memoryMb ?? 0) / 1024;
    expect(line?.usd).toBeCloseTo((run?.invocations ?? 0) * (run?.seconds ?? 0) * memoryGb * prices.lambdaArm.usd);
  });

  test('holds only what the templates hold', () => {
    const without = estimate({ counts: {}, alarmMetrics: 0, webAclRules: 0 }, usual).map(({ what }) => what);
    const withWaf = estimate(
      {
        ...inventory,
        counts: { ...inventory.counts, 'AWS::WAFv2::WebACL': 1, 'AWS::CloudFront::Distribution': 1 },
        webAclRules: 2,
      },
      usual,
    );

    expect(without.some((what) => what.startsWith('function '))).toBe(false);
    expect(without).not.toContain('keys');
    expect(without).not.toContain('WebACL');
    expect(totalOf(withWaf.filter(({ what }) => what === 'WebACL' || what === 'WebACL: rules'))).toBe(7);
  });

  test('counts resources and the metrics of alarms from templates; an expression costs nothing', () => {
    const found = inventoryOf([
      {
        Resources: {
          a: { Type: 'AWS::CloudWatch::Alarm', Properties: { MetricName: 'Errors' } },
          b: {
            Type: 'AWS::CloudWatch::Alarm',
            Properties: { Metrics: [{ Expression: 'x+y' }, { MetricStat: {} }, { MetricStat: {} }] },
          },
          c: { Type: 'AWS::WAFv2::WebACL', Properties: { Rules: [{}, {}] } },
        },
      },
      { Resources: { d: { Type: 'AWS::KMS::Key' } } },
    ]);

    expect(found).toEqual({
      counts: { 'AWS::CloudWatch::Alarm': 2, 'AWS::WAFv2::WebACL': 1, 'AWS::KMS::Key': 1 },
      alarmMetrics: 3,
      webAclRules: 2,
    });
  });

  test('is printed for three sizes, with what it rests on', () => {
    const text = printEstimate(inventory);

    expect(text).toContain('1 × 20');
    expect(text).toContain('100 × 2000');
    expect(text).toContain('1000 × 20000');
    expect(text).toContain('eu-central-1');
    expect(text).toContain('not fetched');
  });

  test('every price says where it is from', () => {
    for (const { usd, unit, from } of Object.values(prices)) {
      expect(usd).toBeGreaterThan(0);
      expect(unit).not.toBe('');
      expect(from).toMatch(/^aws\.amazon\.com\//);
    }
  });
});
