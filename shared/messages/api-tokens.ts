import { z } from 'zod';

/** Tokens of people as the HTTP API grants and shows them: never their secrets, but once. Times are ISO 8601. */

const Role = z.enum(['admin', 'viewer']);

/** Strict, so that a misspelt expiry does not make a token that never ends. */
export const NewToken = z
  .strictObject({
    user: z
      .string()
      .regex(/^[A-Za-z0-9][\w.@+-]{0,99}$/, 'must be a name or an address: at most 100 letters, digits and . _ @ + -'),
    role: Role,
    /** A duration from now (`12h`, `90d`) or a date (`2027-01-31`); it never ends by itself when absent. */
    expires: z.string().max(40).optional(),
  })
  .meta({ ref: 'TokenRequest' });
export type NewToken = z.infer<typeof NewToken>;

export const TokenView = z
  .object({
    /** Safe to show: nothing of the secret. */
    id: z.string(),
    user: z.string(),
    role: Role,
    createdAt: z.string(),
    /** Absent: it never ends by itself. */
    expiresAt: z.string().optional(),
    /** The person who granted it, and the id of the token that they had; absent for those of an installation. */
    grantedBy: z.string().optional(),
    grantedWith: z.string().optional(),
    /** The caller came with it, or with a session of it. */
    isCurrent: z.boolean(),
  })
  .meta({ ref: 'Token' });
export type TokenView = z.infer<typeof TokenView>;

/** The only answer that holds the secret. */
export const GrantedToken = TokenView.extend({ secret: z.string() }).meta({ ref: 'GrantedToken' });
export type GrantedToken = z.infer<typeof GrantedToken>;
