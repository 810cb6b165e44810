import { assertNever } from '../domain/errors.ts';
import { decide, findToken, resolveToken } from '../reservations/client.ts';
import {
  isRefusedCommand,
  type AnswerFacts,
  type FindTokenResult,
  type Outcome,
  type Refused,
  type TokenFound,
  type Unknown,
} from '../reservations/types.ts';
import { commitTokenOf, judge } from './answer.ts';
import { returnedAs, type LeaderConnection } from './leader-connections.ts';
import { lostOutcome } from './lost-outcome.ts';
import type { LossStanding } from './loss-book.ts';
import type { ShardRoute } from './route-table.ts';
import type { Asked, Evidence, TokenResolution, TokenResolutionOptions } from './token-types.ts';

const NO_EVIDENCE: Evidence = {
  shard: null,
  cluster: null,
  member: null,
  generation: null,
  term: null,
  epoch: null,
  position: null,
  commit_token: null,
  lease_left_ms: null,
  degraded: null,
};
const ASK_AGAIN_AFTER_MS = 50;
const IN_FLIGHT = 'it may still be in flight: settle it to make this final';

/** What the authority knows of a token, with the evidence. Never throws for what it can't learn: that is `unknown`. */
export async function resolveByToken(options: TokenResolutionOptions): Promise<TokenResolution> {
  const until = performance.now() + options.deadlineMs;
  const { issuer } = options;
  if (issuer !== undefined) return resolveAt({ ...options, issuer }, until);
  const search = await findIssuers(options, until);
  if (search.kind === 'unknown') return resolution(options, { status: 'unknown', detail: search.detail });
  const [only, ...others] = search.issuers;
  if (only === undefined) {
    const { asked } = search;
    const detail = `asked ${asked.map(({ cluster }) => cluster).join(', ')}; ${IN_FLIGHT}`;
    const absent = resolution(options, { status: 'not_found', detail, asked });
    return withStanding(absent, await options.losses.standingAnywhere(options.token));
  }
  if (others.length > 0) {
    const detail = 'several issuers know this token: name one';
    return resolution(options, { status: 'unknown', detail, issuers: search.issuers });
  }
  return resolveAt({ ...options, issuer: only }, until);
}

/** Makes an absent token final: `abandoned` is written under it, unless an outcome is there already. */
export async function settleToken(
  options: TokenResolutionOptions & { readonly issuer: string; readonly desk: string },
): Promise<TokenResolution> {
  const until = performance.now() + options.deadlineMs;
  const { issuer, token, desk } = options;
  return ask(options, until, async ({ client }, route, deadlineMs) => {
    const command = { kind: 'settle', issuer, token, desk } as const;
    const result = await decide(client, route.scope, [command], { deadlineMs });
    if (result.kind !== 'decided') return result;
    const [outcome] = result.outcomes;
    if (outcome === undefined || isRefusedCommand(outcome)) return missing(outcome?.refused ?? 'no outcome');
    return { ...result, kind: 'known', status: outcome.outcome, outcome, head: outcome.position };
  });
}

async function resolveAt(
  options: TokenResolutionOptions & { readonly issuer: string },
  until: number,
): Promise<TokenResolution> {
  const { issuer, token, losses } = options;
  const found = await askAt(options, until);
  const { shard } = found.evidence;
  if (found.status !== 'not_found' || shard === null) return found;
  return withStanding({ ...found, settleable: true }, await losses.standing(shard, { issuer, token }));
}

/** What an absent token is once it is known what failovers have lost. */
function withStanding(absent: TokenResolution, standing: LossStanding): TokenResolution {
  switch (standing.kind) {
    case 'none':
      return absent;
    case 'unknown':
      return {
        ...absent,
        status: 'unknown',
        detail: standing.why,
        settleable: absent.settleable && !standing.mayEnd,
      };
    case 'lost': {
      const { issuer } = standing.entry;
      const lost = lostOutcome(standing);
      return { ...absent, status: 'lost', issuer, detail: null, settleable: false, lost };
    }
    default:
      return assertNever(standing);
  }
}

function askAt(
  options: TokenResolutionOptions & { readonly issuer: string },
  until: number,
): Promise<TokenResolution> {
  const { issuer, token } = options;
  return ask(options, until, async ({ client }, route, deadlineMs) => {
    const result = await resolveToken(client, route.scope, { issuer, token }, { deadlineMs });
    if (result.kind !== 'resolved') return result;
    return { ...result, kind: 'known', head: result.head_position };
  });
}

type Known = AnswerFacts & {
  readonly kind: 'known';
  readonly status: 'confirmed' | 'rejected' | 'abandoned' | 'not_found';
  readonly outcome: Outcome | null;
  readonly head: string;
  readonly elapsedMs: number;
};
type Call = (
  connection: LeaderConnection,
  route: ShardRoute,
  deadlineMs: number,
) => Promise<Known | Refused | Unknown>;

const missing = (message: string): Unknown => ({
  kind: 'unknown',
  why: 'server_error',
  message,
  sqlState: null,
  connectionUsable: true,
});

async function ask(
  options: TokenResolutionOptions & { readonly issuer: string },
  until: number,
  call: Call,
): Promise<TokenResolution> {
  const { routes, take, issuer } = options;
  let detail = 'the deadline passed';
  let evidence = NO_EVIDENCE;
  while (performance.now() < until) {
    const shard = routes.shardOf(issuer);
    const route = shard === undefined ? undefined : routes.routeOf(shard);
    if (shard === undefined || route === undefined) {
      return resolution(options, { status: 'unknown', detail: 'the estate is not known' });
    }
    evidence = evidenceOf(route);
    const { leader } = route;
    if (leader === null) {
      detail = route.absent ?? 'there is no leader';
      if (!route.changing) return resolution(options, { status: 'unknown', detail, evidence });
      await routes.changed(
        shard,
        route,
        Math.min(ASK_AGAIN_AFTER_MS, Math.max(0, until - performance.now())),
      );
      continue;
    }
    const result = await withLeader(take, route, leader, (connection) =>
      call(connection, route, Math.max(1, Math.floor(until - performance.now()))),
    );
    if (result.kind === 'known') {
      const { status, outcome } = result;
      return resolution(options, {
        status,
        outcome,
        detail: status === 'not_found' ? IN_FLIGHT : null,
        evidence: provenBy(route, leader, result),
        facts: result,
      });
    }
    detail = `${leader}: ${result.message}`;
    if (result.kind === 'refused' && judge(result).again === 'no') break;
    await routes.changed(shard, route, Math.min(ASK_AGAIN_AFTER_MS, Math.max(0, until - performance.now())));
  }
  return resolution(options, { status: 'unknown', detail, evidence });
}

type Search =
  | { readonly kind: 'found'; readonly issuers: readonly string[]; readonly asked: readonly Asked[] }
  | { readonly kind: 'unknown'; readonly detail: string };

/** Absence is only as good as its weakest answer: one silent cluster, or a map that changed meanwhile, makes it unknown. */
async function findIssuers(options: TokenResolutionOptions, until: number): Promise<Search> {
  const { routes, take, token } = options;
  const { map, shards, estate } = routes.view;
  if (map === undefined || estate === undefined || shards.size < estate.value.shardCount) {
    return { kind: 'unknown', detail: 'the estate is not known' };
  }
  const oneShard = new Map([...shards.values()].map(({ value }) => [value.cluster, value.shard]));
  const asked: Asked[] = [];
  const answers = await Promise.all(
    Array.from(oneShard, async ([cluster, shard]): Promise<FindTokenResult> => {
      const route = routes.routeOf(shard);
      if (route === undefined) return missing(`cluster ${cluster} is not known`);
      if (route.leader === null) return missing(route.absent ?? `cluster ${cluster} has no leader`);
      const answer = await withLeader(take, route, route.leader, ({ client }) =>
        findToken(client, route.scope, token, {
          deadlineMs: Math.max(1, Math.floor(until - performance.now())),
        }),
      );
      if (answer.kind === 'found') asked.push(askedOf(cluster, answer));
      return answer;
    }),
  );
  const silent = answers.find((answer) => answer.kind !== 'found');
  if (silent !== undefined) {
    return { kind: 'unknown', detail: `not every authority could be asked: ${silent.message}` };
  }
  if (routes.view.map?.revision !== map.revision) {
    return { kind: 'unknown', detail: 'the shard map changed during the search: ask again' };
  }
  const issuers = answers.flatMap((answer) =>
    answer.kind === 'found' ? answer.found.map((entry) => entry.issuer) : [],
  );
  return { kind: 'found', issuers: [...new Set(issuers)], asked };
}

async function withLeader<T extends { readonly kind: string }>(
  take: TokenResolutionOptions['take'],
  route: ShardRoute,
  leader: string,
  call: (connection: LeaderConnection) => Promise<T>,
): Promise<T | Unknown> {
  let connection: LeaderConnection;
  try {
    connection = await take(route.scope.cluster, leader);
  } catch (error) {
    return missing(`${leader} can't be reached: ${error instanceof Error ? error.message : String(error)}`);
  }
  const result = await call(connection);
  connection.release(returnedAs(result));
  return result;
}

const askedOf = (cluster: string, answer: TokenFound): Asked => ({
  cluster,
  member: answer.leader,
  term: answer.term,
  epoch: answer.epoch,
  lease_left_ms: Math.floor(answer.left_ms - answer.elapsedMs),
});

const evidenceOf = ({ scope, leader }: ShardRoute): Evidence => ({
  ...NO_EVIDENCE,
  shard: scope.shard,
  cluster: scope.cluster,
  member: leader,
  generation: scope.generation,
  term: scope.term,
  epoch: scope.epoch,
});

const provenBy = (route: ShardRoute, member: string, known: Known): Evidence => ({
  shard: known.shard,
  cluster: route.scope.cluster,
  member,
  generation: known.generation,
  term: known.term,
  epoch: known.epoch,
  position: known.head,
  commit_token: known.outcome === null ? null : commitTokenOf(known.shard, known.outcome),
  lease_left_ms: Math.floor(known.left_ms - known.elapsedMs),
  degraded: known.degraded,
});

const resolution = (
  { token, issuer }: { readonly token: string; readonly issuer?: string | undefined },
  parts: Partial<TokenResolution> & Pick<TokenResolution, 'status'>,
): TokenResolution => ({
  token,
  issuer: issuer ?? null,
  outcome: null,
  lost: null,
  settleable: false,
  detail: null,
  issuers: [],
  asked: [],
  evidence: NO_EVIDENCE,
  facts: null,
  ...parts,
});
