import { HawserError, messageOf } from '../../errors.ts';

const throttling = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'ThrottledException',
  'Throttling',
  'RequestLimitExceeded',
  'RequestThrottled',
  'TooManyRequestsException',
  'LimitExceededException',
  'KMSInvalidStateException',
  'KmsThrottled',
  'OverLimit',
  'EC2ThrottledException',
  'RequestTimeout',
  'RequestTimeoutException',
]);

/** What passes when somebody restores rights, keys or a network: the work waits for it instead of failing. */
const notNow = new Set([
  'AccessDeniedException',
  'AccessDenied',
  'UnrecognizedClientException',
  'InvalidSignatureException',
  // A clock that went wrong, or keys that were changed under way.
  'SignatureDoesNotMatch',
  'RequestExpired',
  'InvalidSecurity',
  'OptInRequired',
  'MissingAuthenticationToken',
  'InvalidClientTokenId',
  'ExpiredToken',
  'ExpiredTokenException',
  'CredentialsProviderError',
  'DisabledException',
  // The key of a queue, a secret or a function, as those services say it.
  'KmsAccessDenied',
  'KmsDisabled',
  'KmsInvalidState',
  'KmsNotFound',
  'DecryptionFailure',
  'EncryptionFailure',
  'KMSAccessDeniedException',
  'KMSDisabledException',
  'KMSNotFoundException',
  // A function that is being deployed.
  'ResourceConflictException',
  'ResourceNotReadyException',
  'ResourceNotFoundException',
  'QueueDoesNotExist',
  'AWS.SimpleQueueService.NonExistentQueue',
  'NotFoundException',
]);

/**
 * What an AWS service or the way to it said, as a HawserError; errors of ours pass unchanged. `what` names the thing and
 * the deed (`table hawser: put`). Throttling, 5xx, broken connections and missing rights: `unavailable`, later (the SDK
 * has tried several times by then). Any other refusal of a request: `internal`, never, because sending it again changes nothing.
 */
export function toAwsError(error: unknown, what: string): HawserError {
  if (error instanceof HawserError) return error;
  const name = nameOf(error);
  const data = { service: 'aws', error: name, ...requestId(error) };
  if (notNow.has(name)) {
    return new HawserError('unavailable', `${what}: ${name}: ${messageOf(error)}`, {
      retry: 'later',
      hint: 'See that the table, queue or key is there and that the role of this function may use it.',
      data,
      cause: error,
    });
  }
  if (refused(error) && !throttling.has(name)) {
    return new HawserError('internal', `${what}: ${name}: ${messageOf(error)}`, { data, cause: error });
  }
  const why = throttling.has(name) ? 'is throttled' : 'did not answer';
  return new HawserError('unavailable', `${what}: AWS ${why}: ${messageOf(error) || name}`, {
    retry: 'later',
    hint: 'Nothing to do: it is tried again later. If it lasts, look at the quotas of the account.',
    data,
    cause: error,
  });
}

/** The name that AWS gave an error (`ConditionalCheckFailedException`), or that of its class. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/** The service answered, and it was a no (4xx). */
function refused(error: unknown): boolean {
  const status = metadataOf(error).httpStatusCode ?? 0;
  return status >= 400 && status < 500;
}

function requestId(error: unknown): { requestId?: string } {
  const id = metadataOf(error).requestId;
  return id === undefined ? {} : { requestId: id };
}

function metadataOf(error: unknown): { httpStatusCode?: number; requestId?: string } {
  const { $metadata } = (error ?? {}) as { $metadata?: { httpStatusCode?: number; requestId?: string } };
  return $metadata ?? {};
}
