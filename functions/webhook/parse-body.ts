import type { Json } from '#shared/domain/json.ts';
import { HawserError } from '#shared/errors.ts';

/**
 * The JSON of a verified body. Errors: `unsupported-media-type` for compressed, form-encoded and other than UTF-8 bodies (NT-12),
 * `invalid-input` for what is not JSON.
 */
export function parseBody(headers: Headers, body: Uint8Array): Json {
  const encoding = (headers.get('content-encoding') ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== '')
    throw unsupported('content encoding', encoding, 'Send the body as it is.');

  const [type = '', ...parameters] = (headers.get('content-type') ?? '').toLowerCase().split(';');
  if (!isJsonType(type.trim())) {
    throw unsupported('content type', type.trim(), 'Set the content type of the webhook to application/json.');
  }
  const charset = parameters.map((part) => /^\s*charset\s*=\s*"?([^"\s]+)/.exec(part)?.[1]).find(Boolean);
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8') {
    throw unsupported('charset', charset, 'Send the body in UTF-8.');
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as Json;
  } catch {
    // The parser's own words quote the body, which may be anything.
    throw new HawserError('invalid-input', 'the body is not JSON in UTF-8', {
      hint: 'Send what the Git host sends, unchanged.',
    });
  }
}

/** No type at all counts as JSON: the path already says what is to come. */
function isJsonType(type: string): boolean {
  return type === '' || type === 'application/json' || type.endsWith('+json') || type === 'text/json';
}

function unsupported(what: string, value: string, hint: string): HawserError {
  return new HawserError(
    'unsupported-media-type',
    `the ${what} ${JSON.stringify(value.slice(0, 80))} is not supported`,
    {
      hint,
    },
  );
}
