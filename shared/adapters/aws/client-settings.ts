/**
 * Settings for every AWS client: the SDK's adaptive retry (token bucket, full jitter) absorbs short throttling; what lasts
 * longer becomes `unavailable` and is the queue's to try again. Times in milliseconds: a DynamoDB call that takes a second
 * is lost, while an SQS long poll may take 20 s.
 */
export function clientSettings(kind: 'calls' | 'long-polls' = 'calls'): {
  retryMode: 'adaptive';
  maxAttempts: number;
  requestHandler: { connectionTimeout: number; requestTimeout: number; throwOnRequestTimeout: true };
} {
  const requestTimeout = kind === 'calls' ? 5_000 : 30_000;
  return {
    retryMode: 'adaptive',
    maxAttempts: 5,
    requestHandler: { connectionTimeout: 2_000, requestTimeout, throwOnRequestTimeout: true },
  };
}
