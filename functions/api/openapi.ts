import { describeRoute, resolver, validator } from 'hono-openapi';
import type { MiddlewareHandler, ValidationTargets } from 'hono';
import type { z } from 'zod';
import { HawserError } from '#shared/errors.ts';
import { Problem } from '#shared/messages/api.ts';

/** Describes a route for the OpenAPI document: what it is for and what it answers. */
export function describe(summary: string, answer?: z.ZodType, status = 200): MiddlewareHandler {
  const problem = {
    description: 'what went wrong, and what to do',
    content: { 'application/problem+json': { schema: resolver(Problem) } },
  };
  const success =
    answer === undefined
      ? { description: 'done' }
      : { description: summary, content: { 'application/json': { schema: resolver(answer) } } };
  return describeRoute({ summary, responses: { [status]: success, '4XX': problem, '5XX': problem } });
}

/** Checks a part of the request against a schema: wrong input becomes one problem that names every field. */
export function checked<Target extends keyof ValidationTargets, Schema extends z.ZodType>(
  target: Target,
  schema: Schema,
) {
  return validator(target, schema, (result) => {
    if (result.success) return;
    const problems = result.error
      .slice(0, 10)
      .map(
        (issue) =>
          `${(issue.path ?? []).map((part) => (typeof part === 'object' ? String(part.key) : String(part))).join('.') || target}: ${issue.message}`,
      );
    throw new HawserError('invalid-input', problems.join('; '), {
      hint: 'See /api/v1/openapi.json for what this route takes.',
    });
  });
}
