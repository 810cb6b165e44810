import type pg from 'pg';
import type { LeaderConnection } from '../gateway/leader-connections.ts';
import type { TokenResolution, TokenResolutionOptions } from '../gateway/token-types.ts';
import { refusedError, unknownError, usageError, type CapstanError } from '../domain/errors.ts';
import { CLIENT_ID_RULE, isClientId } from '../domain/identifiers.ts';
import { formatAmount } from '../domain/money.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { Estate } from './estate.ts';
import { facts, type Section } from './render/section.ts';
import type { TokenResolutionData } from './schemas/token.ts';

const CONNECT_MS = 3_000;

/**
 * Runs `use` with what asks the authorities as an operator: a map that follows etcd, and one connection a question.
 * Throws what `watchEstate` throws, and `estate_missing` (exit 4).
 */
export async function withAuthorities<T>(
  options: { readonly etcd: EtcdPort; readonly estate: Estate },
  use: (asking: Pick<TokenResolutionOptions, 'routes' | 'losses' | 'take'>) => Promise<T>,
): Promise<T> {
  const { etcd, estate } = options;
  const [{ watchEstate }, { RouteTable }, { estateMissing }, { LossBook }, { readReport }] =
    await Promise.all([
      import('../controlplane/estate-watch.ts'),
      import('../gateway/route-table.ts'),
      import('../controlplane/store.ts'),
      import('../gateway/loss-book.ts'),
      import('../controlplane/loss/report.ts'),
    ]);
  const { keys } = estate;
  const live = await watchEstate({ etcd, keys });
  const losses = new LossBook({ source: live, readReport: (operation) => readReport(etcd, keys, operation) });
  try {
    if (live.current().map === undefined) throw estateMissing(estate.keys);
    return await use({
      routes: new RouteTable(live),
      losses,
      take: (cluster, member) => connectAsOperator(estate, cluster, member),
    });
  } finally {
    losses.close();
    await live.close();
  }
}

async function connectAsOperator(estate: Estate, cluster: string, member: string): Promise<LeaderConnection> {
  const [{ connectAs }, { closeConnection, dropConnection }] = await Promise.all([
    import('../postgres/connect-as.ts'),
    import('../postgres/connection.ts'),
  ]);
  const client: pg.Client = await connectAs({
    config: estate.config,
    role: 'operator',
    cluster,
    member,
    region: estate.region,
    applicationName: 'capstan-cli',
    connectTimeoutMs: CONNECT_MS,
    statementTimeoutMs: CONNECT_MS,
    lockTimeoutMs: CONNECT_MS,
  });
  return {
    client,
    release: (as) => {
      if (as === 'usable') void closeConnection(client);
      else dropConnection(client);
    },
  };
}

/** Throws CapstanError `token_invalid` or `issuer_invalid` (exit 2). */
export function checkTokenRequest({ token, issuer }: { token: string; issuer: string | undefined }): void {
  if (!isClientId(token)) {
    throw usageError(`token ${JSON.stringify(token)}: must be ${CLIENT_ID_RULE}`, {
      code: 'token_invalid',
      next: 'a commit token is read by capstan token decode',
    });
  }
  if (issuer !== undefined && !isClientId(issuer)) {
    throw usageError(`issuer ${JSON.stringify(issuer)}: must be ${CLIENT_ID_RULE}`, {
      code: 'issuer_invalid',
    });
  }
}

export function tokenData(resolution: TokenResolution, changed: boolean): TokenResolutionData {
  const { token, issuer, status, detail, issuers, outcome, lost, evidence } = resolution;
  return {
    changed,
    token,
    issuer,
    status,
    detail,
    issuers: [...issuers],
    outcome:
      outcome === null
        ? null
        : {
            commitToken: evidence.commit_token ?? '',
            position: outcome.position,
            generation: outcome.generation,
            term: outcome.term,
            reason: outcome.reason,
            reservation: outcome.reservation,
            notional: outcome.notional === null ? null : formatAmount(BigInt(outcome.notional)),
            decidedAt: outcome.decided_at,
          },
    lost:
      lost === null
        ? null
        : {
            operation: lost.operation,
            commitToken: lost.commit_token,
            outcome: lost.outcome,
            maybeAcknowledged: lost.maybe_acknowledged,
          },
    evidence: {
      shard: evidence.shard,
      cluster: evidence.cluster,
      member: evidence.member,
      generation: evidence.generation,
      term: evidence.term,
      epoch: evidence.epoch,
      position: evidence.position,
      leaseLeftMs: evidence.lease_left_ms,
      degraded: evidence.degraded,
    },
  };
}

/** The error that goes with an answer that settles nothing; undefined for a final one. */
export function tokenError({
  status,
  token,
  issuer,
  detail,
  issuers,
}: TokenResolutionData): CapstanError | undefined {
  const of = issuer === null ? '' : ` --issuer ${issuer}`;
  if (status === 'not_found') {
    return refusedError(`the authority knows no token ${token}; ${detail ?? 'it may still be in flight'}`, {
      code: 'token_not_found',
      next: `capstan token resolve ${token} --issuer ${issuer ?? '<issuer>'} --settle makes it final`,
    });
  }
  if (status !== 'unknown') return undefined;
  return unknownError(
    `what became of token ${token} is unknown: ${detail ?? 'the authority gave no answer'}`,
    {
      code: 'token_unknown',
      retryable: true,
      next:
        issuers.length > 0
          ? `--issuer, one of: ${issuers.join(', ')}`
          : `capstan token resolve ${token}${of}`,
    },
  );
}

export function tokenSections(data: TokenResolutionData): Section[] {
  const { outcome, lost, evidence } = data;
  return [
    facts([
      ['token', data.token],
      ['status', data.status],
      ['issuer', data.issuer],
      ['detail', data.detail],
      ...(outcome === null
        ? []
        : ([
            ['commit token', outcome.commitToken],
            ['reservation', outcome.reservation],
            ['notional', outcome.notional],
            ['reason', outcome.reason],
            ['decided', outcome.decidedAt],
          ] as const)),
      ...(lost === null
        ? []
        : ([
            ['lost by', lost.operation],
            ['was', `${lost.outcome} as ${lost.commitToken}`],
            ['acknowledged', lost.maybeAcknowledged ? 'maybe' : 'no'],
          ] as const)),
    ]),
    facts(
      [
        ['shard', evidence.shard],
        ['cluster', evidence.cluster],
        ['member asked', evidence.member],
        ['generation', evidence.generation],
        ['term', evidence.term],
        ['epoch', evidence.epoch],
        ['head position', evidence.position],
        ['lease left', evidence.leaseLeftMs === null ? null : `${evidence.leaseLeftMs} ms`],
        ['degraded', evidence.degraded],
      ],
      'evidence',
    ),
  ];
}
