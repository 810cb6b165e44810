import { createHash } from 'node:crypto';

export const sha256 = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest();

const NEWLINE = 0x0a;
const LINE_BYTES_MAX = 1 << 22;

/** Two lines: what it is with the SHA-256 of the next line, and that line: JSON. No byte of them can be changed unseen. */
export function seal(kind: string, value: object): { readonly bytes: Buffer; readonly digest: Buffer } {
  const line = JSON.stringify(value);
  const digest = sha256(line);
  return { bytes: Buffer.from(`${kind} ${digest.toString('hex')}\n${line}\n`), digest };
}

export type Unsealed =
  | { readonly value: unknown; readonly digest: Buffer; readonly rest: Buffer }
  | { readonly damage: string };

/** The JSON of a sealed object and what follows it; or what is wrong with it. Never throws. */
export function unseal(kind: string, bytes: Buffer): Unsealed {
  const firstEnd = bytes.indexOf(NEWLINE);
  const first = bytes.toString('latin1', 0, Math.max(0, Math.min(firstEnd, 256)));
  const [, hex] = /^(?:[a-z-]+ 1) ([0-9a-f]{64})$/.exec(first) ?? [];
  if (hex === undefined || !first.startsWith(`${kind} `)) return { damage: 'its first line is not one' };
  const secondEnd = bytes.subarray(0, firstEnd + LINE_BYTES_MAX).indexOf(NEWLINE, firstEnd + 1);
  if (secondEnd === -1) return { damage: 'it ends within its header' };
  const line = bytes.subarray(firstEnd + 1, secondEnd);
  const digest = sha256(line);
  if (digest.toString('hex') !== hex)
    return { damage: 'its header is not the one that its first line has the SHA-256 of' };
  return { value: JSON.parse(line.toString('utf8')), digest, rest: bytes.subarray(secondEnd + 1) };
}
