import { describe, expect, it } from 'vitest';
import { parseSettings } from '#agent/settings.ts';
import { HawserError } from '#shared/errors.ts';

const whole = {
  HAWSER_SERVER: 'https://hawser.example',
  HAWSER_AGENT_TOKEN: 'secret',
  HAWSER_ORGANISATION: 'acme',
  HAWSER_CLUSTER: 'one',
  HAWSER_ROOT_KEY: 'MCowBQYDK2VwAyEA',
};

describe('settings', () => {
  it('have sensible defaults', () => {
    expect(parseSettings(whole)).toMatchObject({
      namespace: 'hawser-system',
      logLevel: 'info',
      exitWithParent: false,
      kubeconfig: undefined,
    });
  });

  it('name every problem at once, and no secret', () => {
    const problems = problemsOf({
      HAWSER_SERVER: 'ftp://x',
      HAWSER_CLUSTER: 'Not An Id',
      HAWSER_AGENT_TOKEN: 'secret',
      HAWSER_METRICS_PORT: 'many',
    });
    for (const name of [
      'HAWSER_SERVER',
      'HAWSER_ORGANISATION',
      'HAWSER_CLUSTER',
      'HAWSER_ROOT_KEY',
      'HAWSER_METRICS_PORT',
    ])
      expect(problems).toContain(name);
    expect(problems).not.toContain('secret');
  });

  it('want a token or a file that holds one; empty counts as absent', () => {
    const { HAWSER_AGENT_TOKEN: _, ...rest } = whole;
    expect(problemsOf({ ...rest, HAWSER_AGENT_TOKEN: '' })).toContain('HAWSER_AGENT_TOKEN_FILE');
    expect(parseSettings({ ...rest, HAWSER_AGENT_TOKEN_FILE: '/var/run/hawser/token' }).tokenFile).toBe(
      '/var/run/hawser/token',
    );
  });

  it('take a ServiceAccount token, with or without a registration token, instead of a static one', () => {
    const { HAWSER_AGENT_TOKEN: _, ...rest } = whole;
    const file = { HAWSER_SERVICE_ACCOUNT_TOKEN_FILE: '/var/run/secrets/hawser/token' };
    expect(parseSettings({ ...rest, ...file, HAWSER_REGISTRATION_TOKEN: 'once' })).toMatchObject({
      serviceAccountTokenFile: '/var/run/secrets/hawser/token',
      registrationToken: 'once',
      hub: 'auto',
      aws: undefined,
    });
    expect(problemsOf({ ...whole, ...file })).toContain('HAWSER_AGENT_TOKEN must not');
  });

  it('take where the service is in AWS whole or not at all; a region alone says nothing', () => {
    const { HAWSER_AGENT_TOKEN: _, ...rest } = whole;
    const aws = {
      AWS_REGION: 'eu-central-1',
      HAWSER_AWS_TABLE: 'hawser',
      HAWSER_AWS_CIPHER_KEY: 'alias/hawser',
      HAWSER_AWS_WAKE_QUEUE: 'https://sqs.example/wake',
      HAWSER_AWS_MAIL_QUEUE: 'https://sqs.example/mail',
    };
    expect(parseSettings({ ...rest, ...aws }).aws).toEqual({
      region: 'eu-central-1',
      table: 'hawser',
      cipherKey: 'alias/hawser',
      wakeQueue: 'https://sqs.example/wake',
      mailQueue: 'https://sqs.example/mail',
    });
    expect(problemsOf({ ...rest, ...aws, HAWSER_AWS_TABLE: '' })).toContain('HAWSER_AWS_TABLE must be set');
    expect(problemsOf({ ...rest, ...aws, HAWSER_HUB: 'https' })).toContain('HAWSER_SERVICE_ACCOUNT_TOKEN_FILE');
    expect(problemsOf({ ...whole, HAWSER_HUB: 'direct' })).toContain('HAWSER_HUB can be direct only');
    expect(parseSettings({ ...whole, AWS_REGION: 'eu-central-1' }).aws).toBeUndefined();
  });

  it('take the proxies of the environment, and say what is wrong with them without their password', () => {
    expect(parseSettings({ ...whole, HTTP_PROXY: '' }).proxy).toBeUndefined();
    const proxied = parseSettings({ ...whole, HTTPS_PROXY: 'http://proxy:3128', KUBERNETES_SERVICE_HOST: '10.0.0.1' });
    expect(proxied.proxy).toMatchObject({ https: 'http://proxy:3128', noProxy: expect.stringContaining('10.0.0.1') });
    const wrong = { ...whole, HAWSER_SERVER: 'ftp://x', HTTPS_PROXY: 'socks5://user:secret-word@proxy:1080' };
    expect(problemsOf(wrong)).toMatch(/HAWSER_SERVER.*HTTPS_PROXY must be the address of an http or https proxy/);
    expect(problemsOf(wrong)).not.toContain('secret-word');
  });
});

function problemsOf(environment: Record<string, string>): string {
  try {
    parseSettings(environment);
  } catch (error) {
    if (error instanceof HawserError) return error.message;
  }
  throw new Error('nothing was refused');
}
