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
});

function problemsOf(environment: Record<string, string>): string {
  try {
    parseSettings(environment);
  } catch (error) {
    if (error instanceof HawserError) return error.message;
  }
  throw new Error('nothing was refused');
}
