import { formatCommitToken } from '../../src/domain/commit-token.ts';
import type { Attempt } from './history.ts';

/** A shard as its authority holds it, read in one snapshot. Amounts in cents. */
export interface ShardFacts {
  readonly shard: number;
  readonly head: bigint;
  readonly lineage: readonly { readonly generation: number; readonly term: number; readonly first: bigint }[];
  /** In the order of positions. */
  readonly log: readonly LogEntry[];
  readonly tokens: readonly TokenRow[];
  readonly exposures: readonly {
    readonly issuer: string;
    readonly limit: bigint;
    readonly reserved: bigint;
  }[];
  readonly open: readonly {
    readonly issuer: string;
    readonly reservation: string;
    readonly notional: bigint;
  }[];
}
export interface LogEntry {
  readonly position: bigint;
  readonly generation: number;
  readonly term: number;
  readonly event: string;
  readonly issuer: string;
  readonly token: string;
  readonly reservation: string | null;
  readonly amount: bigint | null;
  readonly reservedAfter: bigint | null;
  readonly limitAfter: bigint | null;
}
export interface TokenRow {
  readonly issuer: string;
  readonly token: string;
  readonly outcome: string;
  readonly position: bigint;
  readonly generation: number;
  readonly term: number;
}

/** What a gateway said of a token when everything had come to rest. */
export interface Resolution {
  readonly issuer: string;
  readonly token: string;
  readonly status: string;
  readonly commitToken: string | null;
}

export interface Evidence {
  readonly attempts: readonly Attempt[];
  readonly shards: readonly ShardFacts[];
  readonly resolutions: readonly Resolution[];
}

const nameOf = ({ issuer, token }: { readonly issuer: string; readonly token: string }) =>
  `${issuer}/${token}`;

/** Every promise that the evidence breaks, in words; none when all of them hold. */
export function judge({ attempts, shards, resolutions }: Evidence): string[] {
  const rows = new Map<string, { readonly row: TokenRow; readonly commitToken: string }>();
  for (const { shard, tokens } of shards) {
    for (const row of tokens) {
      rows.set(nameOf(row), { row, commitToken: formatCommitToken({ shard, ...row }) });
    }
  }
  return [
    ...shards.flatMap(foldProblems),
    ...answerProblems(attempts, rows),
    ...orderProblems(attempts),
    ...resolutionProblems(attempts, { rows, resolutions }),
  ];
}

/** Positions are dense, no reserve goes over its issuer's limit at its position, and the tables are the fold of the log. */
function foldProblems({ shard, head, lineage, log, tokens, exposures, open }: ShardFacts): string[] {
  const problems: string[] = [];
  const at = (entry: LogEntry, what: string) => problems.push(`shard ${shard} @${entry.position}: ${what}`);
  const issuers = new Map<string, { limit: bigint; reserved: bigint }>();
  const reservations = new Map<string, { issuer: string; notional: bigint }>();
  const seen = new Set<string>();
  let position = 0n;
  for (const entry of log) {
    position += 1n;
    if (entry.position !== position) {
      at(entry, `${position} was expected: the positions are not dense`);
      position = entry.position;
    }
    const authority = lineage.findLast(({ first }) => first <= entry.position);
    if (authority?.generation !== entry.generation || authority.term !== entry.term) {
      at(entry, `decided under ${entry.generation}.${entry.term}, which its lineage does not know there`);
    }
    if (seen.has(nameOf(entry))) at(entry, `the token ${nameOf(entry)} was decided twice`);
    seen.add(nameOf(entry));
    const issuer = issuers.get(entry.issuer) ?? { limit: -1n, reserved: 0n };
    const amount = entry.amount ?? 0n;
    if (entry.event === 'reserved') {
      issuer.reserved += amount;
      if (issuer.reserved > issuer.limit) {
        at(entry, `${entry.issuer} is over-allocated: ${issuer.reserved} of ${issuer.limit} cents`);
      }
      reservations.set(`${entry.issuer}/${entry.reservation}`, { issuer: entry.issuer, notional: amount });
    } else if (entry.event === 'released') {
      issuer.reserved -= amount;
      if (!reservations.delete(`${entry.issuer}/${entry.reservation}`))
        at(entry, 'releases what is not held');
    } else if (entry.event === 'limit_set' || entry.event === 'corrected') {
      issuer.limit = amount;
    } else if (entry.event === 'reserve_rejected' && issuer.reserved + amount <= issuer.limit) {
      at(entry, `rejected although ${issuer.limit - issuer.reserved} cents were left`);
    }
    issuers.set(entry.issuer, issuer);
    if (entry.event !== 'abandoned' && entry.reservedAfter !== issuer.reserved) {
      at(entry, `says ${entry.reservedAfter} cents are reserved; the log says ${issuer.reserved}`);
    }
  }
  if (position !== head) problems.push(`shard ${shard}: the head is at ${head}, its log ends at ${position}`);
  if (tokens.length !== log.length || tokens.some((row) => !seen.has(nameOf(row)))) {
    problems.push(`shard ${shard}: ${tokens.length} tokens have an outcome, ${log.length} were decided`);
  }
  for (const { issuer, limit, reserved } of exposures) {
    const folded = issuers.get(issuer);
    if (folded?.limit !== limit || folded.reserved !== reserved) {
      problems.push(`shard ${shard}: the exposure of ${issuer} is not the fold of the log`);
    }
  }
  if (open.length !== reservations.size) {
    problems.push(`shard ${shard}: ${open.length} reservations are open, the log says ${reservations.size}`);
  }
  for (const { issuer, reservation, notional } of open) {
    if (reservations.get(`${issuer}/${reservation}`)?.notional !== notional) {
      problems.push(`shard ${shard}: ${issuer}/${reservation} is open, not so in the log`);
    }
  }
  return problems;
}

type Rows = ReadonlyMap<string, { readonly row: TokenRow; readonly commitToken: string }>;

/** What was reported is found, as reported; what was promised to have no effect has none. */
function answerProblems(attempts: readonly Attempt[], rows: Rows): string[] {
  const problems: string[] = [];
  const mayHaveRun = new Set<string>();
  for (const attempt of attempts) if (attempt.kind !== 'fail') mayHaveRun.add(nameOf(attempt));
  for (const attempt of attempts) {
    const name = nameOf(attempt);
    const found = rows.get(name);
    const seen = `${attempt.via} reported ${name} as ${attempt.outcome} ${attempt.commitToken}`;
    if (attempt.kind === 'ok') {
      if (found === undefined) problems.push(`${seen}; it is not found`);
      else if (found.row.outcome !== attempt.outcome || found.commitToken !== attempt.commitToken) {
        problems.push(`${seen}; it is ${found.row.outcome} ${found.commitToken}`);
      }
    } else if (found !== undefined && !mayHaveRun.has(name)) {
      problems.push(`${attempt.via} promised that ${name} had no effect (${attempt.code}); it is decided`);
    }
  }
  return problems;
}

/** A decision that was answered before another was asked for has the lower position. */
function orderProblems(attempts: readonly Attempt[]): string[] {
  const problems: string[] = [];
  const decided = attempts.flatMap((attempt) => {
    const match = attempt.replayed === false ? /^shard(\d+)@(\d+)~/.exec(attempt.commitToken ?? '') : null;
    const [, shard, position] = match ?? [];
    return shard === undefined || position === undefined
      ? []
      : [{ attempt, shard, position: BigInt(position) }];
  });
  const answered = decided.toSorted((a, b) => a.attempt.answeredAt - b.attempt.answeredAt);
  const highest = new Map<string, bigint>();
  let next = 0;
  for (const { attempt, shard, position } of decided.toSorted(
    (a, b) => a.attempt.invokedAt - b.attempt.invokedAt,
  )) {
    for (
      let earlier = answered[next];
      earlier !== undefined && earlier.attempt.answeredAt < attempt.invokedAt;
      earlier = answered[next]
    ) {
      next += 1;
      if ((highest.get(earlier.shard) ?? 0n) < earlier.position) highest.set(earlier.shard, earlier.position);
    }
    const before = highest.get(shard) ?? 0n;
    if (position < before) {
      problems.push(
        `${nameOf(attempt)} got @${position} of shard ${shard} after @${before} had been answered`,
      );
    }
  }
  return problems;
}

/** Each unknown token resolves, to what the tables hold. */
function resolutionProblems(
  attempts: readonly Attempt[],
  { rows, resolutions }: { readonly rows: Rows; readonly resolutions: readonly Resolution[] },
): string[] {
  const resolved = new Map(resolutions.map((one) => [nameOf(one), one]));
  const problems: string[] = [];
  for (const name of new Set(unknownTokens(attempts).map(nameOf))) {
    const found = rows.get(name);
    const said = resolved.get(name);
    const status = found?.row.outcome ?? 'not_found';
    if (said?.status !== status || said.commitToken !== (found?.commitToken ?? null)) {
      problems.push(
        `${name} resolves as ${said?.status} ${said?.commitToken}; it is ${status} ${found?.commitToken}`,
      );
    }
  }
  return problems;
}

/** Commands of which some attempt was left open, each once. */
export function unknownTokens(attempts: readonly Attempt[]): { issuer: string; token: string }[] {
  const open = new Map<string, { issuer: string; token: string }>();
  for (const { kind, action, issuer, token } of attempts) {
    if (kind === 'info' && action !== 'resolve') open.set(nameOf({ issuer, token }), { issuer, token });
  }
  return [...open.values()];
}
