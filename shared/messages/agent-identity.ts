import { z } from 'zod';
import { idPattern } from '../domain/ids.ts';

/** Audience that an agent's projected ServiceAccount token must name. */
export const agentAudience = 'hawser';

const id = z.string().regex(idPattern);
/** A Kubernetes ServiceAccount token: three base64url parts (LIM-15). */
const serviceAccountToken = z.string().max(8192);

/** Public keys of the cluster's token issuer (RFC 7517), as its API server gives them at `/openid/v1/jwks`. */
const JsonWebKeys = z.object({
  keys: z.array(z.looseObject({ kid: z.string().max(256).optional(), kty: z.string() })).max(20),
});

/**
 * `POST /api/v1/agent/register`, with the registration token as bearer: the first use pins which cluster this is.
 * The ServiceAccount token proves that the keys are the cluster's own.
 */
export const RegisterRequest = z.object({
  /** UID of the namespace kube-system. */
  clusterUid: z.string().min(1).max(64),
  jwks: JsonWebKeys,
  serviceAccountToken,
});
export type RegisterRequest = z.infer<typeof RegisterRequest>;

/** `POST /api/v1/agent/token`, without a bearer: the ServiceAccount token is what proves who asks. */
export const TokenRequest = z.object({
  organisation: id,
  cluster: id,
  clusterUid: z.string().min(1).max(64),
  serviceAccountToken,
  /** The issuer's keys now: taken over where a pinned key signed the token, so that keys may rotate. */
  jwks: JsonWebKeys.optional(),
});
export type TokenRequest = z.infer<typeof TokenRequest>;

/** What direct access needs: short-lived credentials for this one cluster's rows and queues, and where these are. */
export const AwsAccess = z.object({
  region: z.string(),
  credentials: z.object({ accessKeyId: z.string(), secretAccessKey: z.string(), sessionToken: z.string() }),
  table: z.string(),
  cipherKey: z.string(),
  /** URLs. */
  wakeQueue: z.string(),
  mailQueue: z.string(),
  /** Endpoints other than AWS's own (emulators, private ones). */
  endpoints: z.object({ dynamodb: z.string(), sqs: z.string(), kms: z.string() }).partial().optional(),
});
export type AwsAccess = z.infer<typeof AwsAccess>;

/** Answer of both: what the agent may use until `expiresAt` (ISO 8601). */
export const TokenAnswer = z.object({
  organisation: id,
  cluster: id,
  /** Bearer for the API. */
  accessToken: z.string(),
  expiresAt: z.string(),
  /** Absent where agents speak HTTPS only. */
  aws: AwsAccess.optional(),
});
export type TokenAnswer = z.infer<typeof TokenAnswer>;
