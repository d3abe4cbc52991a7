import { describe, expect, it } from 'vitest';
import { toAwsError } from '#shared/adapters/aws/aws-error.ts';

function saidBy(name: string, httpStatusCode?: number, message = 'by the test'): Error {
  const $metadata = httpStatusCode === undefined ? {} : { httpStatusCode, requestId: 'r-1' };
  return Object.assign(new Error(message), { name, $metadata });
}

describe('what AWS says', () => {
  it.each([
    ['ThrottlingException', 400],
    ['ProvisionedThroughputExceededException', 400],
    ['RequestLimitExceeded', 400],
    ['KmsThrottled', 400],
    ['EC2ThrottledException', 502],
    ['TooManyRequestsException', 429],
    ['InternalServerError', 500],
    ['ServiceUnavailable', 503],
    ['TimeoutError', undefined],
    ['ECONNRESET', undefined],
  ])('%s passes: it is tried again, and nobody has to do anything (FT-44, FT-48)', (name, status) => {
    const error = toAwsError(saidBy(name, status), 'table hawser: put');

    expect(error).toMatchObject({ code: 'unavailable', retry: 'later' });
    expect(error.message).toMatch(/^table hawser: put: AWS (is throttled|did not answer): by the test$/);
    expect(error.hint).toContain('Nothing to do');
  });

  it.each([
    ['ResourceNotFoundException', 400],
    ['QueueDoesNotExist', 400],
    ['AccessDeniedException', 400],
    ['KmsAccessDenied', 400],
    ['KmsDisabled', 400],
    ['DisabledException', 400],
    ['NotFoundException', 400],
    ['DecryptionFailure', 400],
    ['UnrecognizedClientException', 400],
    ['InvalidSignatureException', 403],
    ['SignatureDoesNotMatch', 403],
    ['ExpiredTokenException', 403],
    ['CredentialsProviderError', undefined],
    ['ResourceConflictException', 409],
    ['KMSAccessDeniedException', 502],
  ])('%s passes once somebody mends it: it says where and what, and nothing is lost until then', (name, status) => {
    const error = toAwsError(saidBy(name, status, 'not authorised'), 'KMS key alias/k: sign');

    expect(error).toMatchObject({ code: 'unavailable', retry: 'later', data: { error: name } });
    expect(error.message).toBe(`KMS key alias/k: sign: ${name}: not authorised`);
    expect(error.hint).toContain('the role of this function may use it');
  });

  it('is a fault of ours where the request itself is refused: sending it again changes nothing', () => {
    const error = toAwsError(saidBy('ValidationException', 400), 'table hawser: put');

    expect(error).toMatchObject({ code: 'internal', retry: 'never', data: { requestId: 'r-1' } });
  });
});
