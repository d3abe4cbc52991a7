import { sha256 } from '../domain/digest.ts';
import type { Row, StateStore } from '../ports/state-store.ts';
import { organisationKey, sortKeys } from './keys.ts';
import { eachRow } from './update.ts';

/** Who a person's bearer token speaks for: the row `TOKEN#digest`. */
export interface Token {
  user: string;
  role: 'admin' | 'viewer';
  createdAt: string;
  /** Absent: it holds until it is revoked. */
  expiresAt?: string;
  /** The person who granted it, and the id of the token that they had; absent for those of an installation. */
  grantedBy?: string;
  grantedWith?: string;
}

/** A browser that is logged in: the row `SESSION#digest`. */
export interface Session extends Omit<Token, 'grantedBy' | 'grantedWith'> {
  expiresAt: string;
  /** Digest of the token that opened it, without which it does not hold; absent where a page on loopback did. */
  openedWith?: string;
}

/** A token as it is stored, which is without its secret. */
export interface StoredToken extends Token {
  digest: string;
}

const idLength = 16;

/** By which people name a token: the start of its digest, from which nobody can tell the secret of 256 bits. */
export function tokenIdOf(digest: string): string {
  return digest.slice(0, idLength);
}

/** A token of a person that holds; undefined for unknown, revoked and expired ones. Rows are read with each call (NT-110). */
export async function getToken(
  store: StateStore,
  organisation: string,
  digest: string,
  now: number,
): Promise<StoredToken | undefined> {
  const row = await store.get<Token>(organisationKey(organisation), sortKeys.token(digest));
  return row === undefined ? undefined : storedOf(row, now);
}

/** A session that holds: neither it nor the token that opened it has expired or was revoked (NT-110). */
export async function getSession(
  store: StateStore,
  organisation: string,
  digest: string,
  now: number,
): Promise<Session | undefined> {
  const session = (await store.get<Session>(organisationKey(organisation), sortKeys.session(digest)))?.value;
  if (session === undefined || Date.parse(session.expiresAt) <= now) return undefined;
  if (session.openedWith === undefined) return session;
  return (await getToken(store, organisation, session.openedWith, now)) === undefined ? undefined : session;
}

/** All tokens of people that hold, with one user's together, oldest first. */
export async function listTokens(store: StateStore, organisation: string, now: number): Promise<StoredToken[]> {
  const tokens: StoredToken[] = [];
  for await (const row of eachRow<Token>(store, organisationKey(organisation), sortKeys.token(''))) {
    const token = storedOf(row, now);
    if (token !== undefined) tokens.push(token);
  }
  const order = ({ user, createdAt, digest }: StoredToken) => `${user} ${createdAt} ${digest}`;
  return tokens.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** The token of this id, if it holds; anything may be given. */
export async function findToken(
  store: StateStore,
  organisation: string,
  id: string,
  now: number,
): Promise<StoredToken | undefined> {
  if (id.length !== idLength || !/^[0-9a-f]+$/.test(id)) return undefined;
  const { rows } = await store.query<Token>(organisationKey(organisation), { prefix: sortKeys.token(id), limit: 1 });
  return rows[0] === undefined ? undefined : storedOf(rows[0], now);
}

/** Stores a token of a person: its digest only. */
export async function putToken(store: StateStore, organisation: string, token: string, grant: Token): Promise<string> {
  const digest = sha256(token);
  await putExpiring(store, organisation, sortKeys.token(digest), grant);
  return digest;
}

/** Stores a session: its digest only. */
export async function putSession(
  store: StateStore,
  organisation: string,
  token: string,
  session: Session,
): Promise<void> {
  await putExpiring(store, organisation, sortKeys.session(sha256(token)), session);
}

async function putExpiring(store: StateStore, organisation: string, sort: string, value: Token): Promise<void> {
  const expires = value.expiresAt === undefined ? {} : { expiresAt: Math.ceil(Date.parse(value.expiresAt) / 1000) };
  await store.put({ partition: organisationKey(organisation), sort, revision: 1, value, ...expires });
}

/** undefined where it has expired. Agents' tokens had rows of this name once. */
function storedOf({ sort, value }: Row<Token>, now: number): StoredToken | undefined {
  if ('cluster' in value) return undefined;
  if (value.expiresAt !== undefined && Date.parse(value.expiresAt) <= now) return undefined;
  return { ...value, digest: sort.slice(sortKeys.token('').length) };
}
