import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { messageOf, usageError } from '../domain/errors.ts';
import { CLIENT_ID_RULE, isClientId } from '../domain/identifiers.ts';
import { formatAmount, parseAmount } from '../domain/money.ts';

/** One line of the seed: an issuer and its first limit, as a decimal. */
export interface SeedIssuer {
  readonly issuerId: string;
  readonly limit: string;
}

const HEADER = 'issuer_id,limit';
const ISSUERS_MAX = 100_000;

/** The issuers that a sandbox starts with unless `--issuers` names another file. */
export const shippedIssuersFile = (): string => fileURLToPath(new URL('./issuers.csv', import.meta.url));

/** Reads a seed file. Throws CapstanError `issuers_invalid` (exit 2) that names the line at fault. */
export async function readIssuersFile(path: string): Promise<SeedIssuer[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw invalid(path, messageOf(error));
  }
  return parseIssuers(text, path);
}

/** `issuer_id,limit` and one issuer a line; amounts are decimals up to 10^15. Blank lines are skipped. */
export function parseIssuers(text: string, source: string): SeedIssuer[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  if (lines[0]?.trim() !== HEADER) throw invalid(source, `line 1 must read ${HEADER}`);
  const issuers = new Map<string, SeedIssuer>();
  for (const [index, line] of lines.entries()) {
    if (index === 0 || line.trim() === '') continue;
    const at = `line ${index + 1}`;
    const [issuerId, limit, ...rest] = line.split(',').map((field) => field.trim());
    if (!isClientId(issuerId)) throw invalid(source, `${at}: issuer_id must be ${CLIENT_ID_RULE}`);
    const cents = parseAmount(limit);
    if (cents === undefined || rest.length > 0) {
      throw invalid(source, `${at}: limit must be a decimal of at most two places, up to 10^15`);
    }
    if (issuers.has(issuerId)) throw invalid(source, `${at}: ${issuerId} is listed twice`);
    issuers.set(issuerId, { issuerId, limit: formatAmount(cents) });
  }
  if (issuers.size === 0) throw invalid(source, 'it lists no issuer');
  if (issuers.size > ISSUERS_MAX) throw invalid(source, `it lists more than ${ISSUERS_MAX} issuers`);
  return [...issuers.values()];
}

const invalid = (source: string, problem: string): Error =>
  usageError(`${source}: ${problem}`, {
    code: 'issuers_invalid',
    next: `an issuers file starts with the line ${HEADER}`,
  });
