import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HawserError } from '#shared/errors.ts';

/** Deepest nesting of a body: more than any object of Kubernetes has, far less than what breaks a process (NT-172). */
const deepest = 64;

/**
 * Looks at a request's body before anything else reads it: cut at `maxBytes` while it comes in (NT-01), JSON by name and
 * by content, not too deep, and without members that reach for prototypes (NT-170). GET and bodies that are empty pass.
 */
export function checkBody(maxBytes: number): MiddlewareHandler {
  const limit = bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new HawserError('too-large', `the body has more than ${maxBytes} bytes`, {
        hint: 'Send it in several requests.',
      });
    },
  });
  return async (c, next) => {
    if (c.req.method === 'GET' || c.req.method === 'HEAD' || c.req.raw.body === null) return next();
    return limit(c, async () => {
      const text = await c.req.text();
      if (text !== '') checkJson(text, c.req.header('content-type'));
      await next();
    });
  };
}

function checkJson(text: string, contentType: string | undefined): void {
  // A form of another site can send text, but not this type (NT-132).
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType ?? '')) {
    throw new HawserError('unsupported-media-type', 'the body must be JSON', {
      hint: 'Send it with Content-Type: application/json.',
    });
  }
  if (isTooDeep(text)) throw new HawserError('invalid-input', `the body nests deeper than ${deepest} levels`);
  if (/"(?:_|\\u005f){2}proto(?:_|\\u005f){2}"\s*:/i.test(text))
    throw new HawserError('invalid-input', 'the body has a member __proto__');
  try {
    JSON.parse(text);
  } catch {
    throw new HawserError('invalid-input', 'the body is not JSON');
  }
}

/** Counts brackets outside strings, without a parser. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > deepest) return true;
  }
  return false;
}
