import { describe, expect, it } from 'vitest';
import { readSettings } from '#functions/entry/aws/settings.ts';

const common = { HAWSER_ENVIRONMENT: 'prod', HAWSER_ORGANISATION: 'acme' };

describe('settings of a function', () => {
  it('are only those that it needs, with defaults', () => {
    const settings = readSettings('sweep', { ...common, HAWSER_TABLE: 'hawser-prod', HAWSER_CIPHER_KEY: '' }, [
      'table',
    ]);

    expect(settings).toEqual({
      environment: 'prod',
      organisation: 'acme',
      logLevel: 'info',
      version: '0.0.0',
      table: 'hawser-prod',
    });
  });

  it('name every problem at once, by variable, and say no value', () => {
    const read = () =>
      readSettings(
        'api',
        {
          HAWSER_ENVIRONMENT: 'Prod!',
          HAWSER_TABLE: '',
          HAWSER_QUEUE_BASE: 'hunter2',
          HAWSER_LOG_LEVEL: 'loud',
          HAWSER_AGENT_ROLE: 'admin',
        },
        ['table', 'queueBase', 'agentRole', 'secretPrefix'],
      );

    expect(read).toThrow(/^function api cannot start: /);
    for (const variable of [
      'HAWSER_ENVIRONMENT must be 1 to 32 of a-z, 0-9 and -',
      'HAWSER_ORGANISATION is missing',
      'HAWSER_TABLE is missing',
      'HAWSER_QUEUE_BASE is no URL',
      'HAWSER_LOG_LEVEL ',
      'HAWSER_AGENT_ROLE is no ARN',
      'HAWSER_SECRET_PREFIX is missing',
    ])
      expect(read).toThrow(variable);
    expect(read).not.toThrow(/hunter2|loud/);
  });

  it('leave out what is optional and absent', () => {
    const settings = readSettings('token', common, ['agentRole', 'url', 'privateAddresses']);
    expect(settings.agentRole).toBeUndefined();
    expect(settings.url).toBeUndefined();
    expect(settings.privateAddresses).toBe('deny');
  });
});
