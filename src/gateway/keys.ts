import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { issueLines } from '../config/contract.ts';
import { messageOf, usageError } from '../domain/errors.ts';
import { CLIENT_ID_RULE, isClientId } from '../domain/identifiers.ts';

/** A desk reserves and releases; an operator sets limits and settles tokens; all read. Compliance and operators read across desks. */
export const KEY_ROLES = ['desk', 'operator', 'compliance'] as const;
export type KeyRole = (typeof KEY_ROLES)[number];

export interface Identity {
  readonly desk: string;
  readonly role: KeyRole;
}

/** A line of the keys file. The key itself is stored nowhere. */
export interface KeyEntry extends Identity {
  readonly sha256: string;
}

const entries = z.array(
  z.strictObject({
    desk: z.string().refine(isClientId, `is not a desk name (${CLIENT_ID_RULE})`),
    role: z.enum(KEY_ROLES),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
  }),
);

/** Makes a key of 256 random bits. Show `key` once to its holder and store only `entry`. */
export function createKey(owner: Identity): { readonly key: string; readonly entry: KeyEntry } {
  const key = `capstan_${randomBytes(32).toString('base64url')}`;
  return { key, entry: { desk: owner.desk, role: owner.role, sha256: hash('sha256', key, 'hex') } };
}

/** The keys that a gateway accepts. Immutable: a changed file makes a new ring. */
export class KeyRing {
  readonly #byDigest: ReadonlyMap<string, { readonly digest: Buffer; readonly identity: Identity }>;

  constructor(keys: readonly KeyEntry[]) {
    this.#byDigest = new Map(
      keys.map(({ desk, role, sha256 }) => [
        sha256,
        { digest: Buffer.from(sha256, 'hex'), identity: Object.freeze({ desk, role }) },
      ]),
    );
  }

  get size(): number {
    return this.#byDigest.size;
  }

  /**
   * Who presents this `Authorization` header, or undefined. Only digests are compared: the lookup's timing can tell
   * nothing of a key, and the final comparison takes the same time wherever it differs.
   */
  identify(authorization: string | undefined): Identity | undefined {
    if (authorization === undefined || !/^bearer /i.test(authorization) || authorization.length > 512) {
      return undefined;
    }
    const digest = hash('sha256', authorization.slice(7).trim(), 'hex');
    const found = this.#byDigest.get(digest);
    if (found === undefined || !timingSafeEqual(found.digest, Buffer.from(digest, 'hex'))) return undefined;
    return found.identity;
  }
}

/** Reads the text of a keys file; throws CapstanError `keys_invalid` (exit 2) that names the line at fault. */
export function parseKeys(text: string, source: string): KeyRing {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw usageError(`${source}: ${messageOf(error)}`, { code: 'keys_invalid', cause: error });
  }
  const parsed = entries.safeParse(document);
  if (!parsed.success) {
    throw usageError(`${source}: ${issueLines(parsed.error).join('; ')}`, { code: 'keys_invalid' });
  }
  return new KeyRing(parsed.data);
}
