import { describe, expect, it } from 'vitest';
import { toAwsError } from '#shared/adapters/aws/aws-error.ts';
import { problemOf } from '#shared/domain/problem.ts';
import { HawserError } from '#shared/errors.ts';
import { Problem } from '#shared/messages/api.ts';

describe('a problem document', () => {
  it('carries code, status, sentence and hint of the error', () => {
    const error = new HawserError('not-permitted', 'Deployment shop/web is outside the project', {
      hint: 'Ask for it.',
    });
    expect(problemOf(error, '/api/v1/objects')).toEqual({
      type: '/problems/not-permitted',
      title: 'Not permitted',
      status: 403,
      detail: 'Deployment shop/web is outside the project',
      hint: 'Ask for it.',
      instance: '/api/v1/objects',
    });
  });

  it('says nothing of an error that is not ours: it may hold a secret (NT-93)', () => {
    const problem = problemOf(new Error('connect postgres://admin:hunter2@db'));
    expect(problem).toMatchObject({ type: '/problems/internal', status: 500 });
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  it('fits the schema that the API describes', () => {
    for (const thrown of [new HawserError('conflict', 'x'), 'text', undefined]) {
      expect(Problem.parse(problemOf(thrown))).toEqual(problemOf(thrown));
    }
  });
});

describe('what a cloud said', () => {
  it('NT-135: stays in the log: whoever asks learns no name of a table, key or row', () => {
    const error = toAwsError(
      Object.assign(new Error('Cannot do operations on a non-existent table'), { name: 'ResourceNotFoundException' }),
      'table hawser-prod-state: get T#acme TOKEN#0123',
    );

    const problem = problemOf(error, '/api/v1/applications');

    expect(problem).toMatchObject({ type: '/problems/unavailable', status: 503, instance: '/api/v1/applications' });
    expect(JSON.stringify(problem)).not.toMatch(/hawser-prod|TOKEN|table|role/);
  });
});
