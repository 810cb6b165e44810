import { type CommitToken, formatCommitToken } from '../domain/commit-token.ts';
import { messageOf } from '../domain/errors.ts';
import { standingIn } from '../domain/lineage.ts';
import { type IssuerAtLeader, type IssuerRequest, readIssuerAt } from '../reservations/read-issuer.ts';
import type { Refused, Unknown } from '../reservations/types.ts';
import { judge } from './answer.ts';
import type { GatewayContext } from './context.ts';
import { returnedAs } from './leader-connections.ts';
import { ProblemError, type ProblemDetails } from './problem.ts';
import type { ReadBounds } from './read-bounds.ts';
import type { ShownIssuer } from './shown-issuer.ts';

const ASK_AGAIN_AFTER_MS = 50;

/**
 * Asks the shard's leader, whoever that is by then, until the read's deadline. A token that it can't reflect is lost or
 * unknown there; only a leader that hasn't heard of the token's authority is asked again.
 */
export async function readFromLeader(
  context: GatewayContext,
  shard: number,
  request: IssuerRequest,
  bounds: ReadBounds,
): Promise<ShownIssuer | ProblemError> {
  const { routes, connections, contract } = context;
  const until = performance.now() + contract.deadlines.readMs;
  let last = problem('outcome_unknown', 'the deadline passed');
  while (performance.now() < until) {
    const route = routes.routeOf(shard);
    if (route === undefined) return problem('estate_unknown', `shard ${shard} is not in the map yet`);
    if (route.leader === null) {
      last = problem('no_authority', route.absent ?? 'there is no leader');
      if (!route.changing) return last;
      await routes.changed(shard, route, Math.max(0, until - performance.now()));
      continue;
    }
    try {
      const connection = await connections.take(route.scope.cluster, route.leader, 'read');
      const deadlineMs = Math.max(1, Math.floor(until - performance.now()));
      const result = await readIssuerAt(connection.client, route.scope, request, { deadlineMs });
      connection.release(returnedAs(result));
      if (result.kind === 'read') {
        const found = judged(context, shard, result, bounds);
        if (found.kind !== 'again') return found.kind === 'shown' ? found : found.problem;
        last = found.problem;
      } else {
        last = problemOf(result, bounds);
        if (result.kind === 'unknown' && result.why === 'deadline') return last;
        if (result.kind === 'refused' && judge(result).again === 'no') return last;
      }
    } catch (error) {
      last = problem('leader_unreachable', `${route.leader} can't be reached: ${messageOf(error)}`);
    }
    await routes.changed(shard, route, Math.min(ASK_AGAIN_AFTER_MS, Math.max(0, until - performance.now())));
  }
  return last;
}

type Judged =
  | ShownIssuer
  | { readonly kind: 'refused'; readonly problem: ProblemError }
  /** The route is behind: a later owner or term may answer. */
  | { readonly kind: 'again'; readonly problem: ProblemError };

function judged(context: GatewayContext, shard: number, read: IssuerAtLeader, bounds: ReadBounds): Judged {
  const { lineage, generation, term, issuer } = read;
  for (const [bound, isPage] of [
    [bounds.token, false],
    [bounds.at, true],
  ] as const) {
    if (bound === undefined) continue;
    const standing = standingIn(lineage, bound);
    const text = formatCommitToken(bound);
    if (standing.kind === 'later')
      return {
        kind: 'again',
        problem: problem('commit_token_behind', `the authority of ${text} is not known yet`),
      };
    if (standing.kind === 'lost')
      return { kind: 'refused', problem: lost(context, bound, standing.to, isPage) };
    if (bound.position > BigInt(read.head_position))
      return { kind: 'refused', problem: unknownToken(bound, read.head_position) };
  }
  // A sealed shard may have gone to another owner, who has decided since.
  if (read.sealed && bounds.maxStalenessMs !== undefined) {
    const detail = `shard ${shard} is being handed over: how old its state is here can't be told`;
    return { kind: 'again', problem: problem('staleness_bound_unmet', detail) };
  }
  const isOlder = bounds.at !== undefined && String(bounds.at.position) !== read.head_position;
  return {
    kind: 'shown',
    by: 'leader',
    member: read.leader,
    shard,
    generation,
    term,
    stalenessMs: read.sealed || isOlder ? null : 0,
    position: BigInt(read.shown_position),
    lineage,
    issuer,
    facts: read,
  };
}

const problem = (code: ProblemError['code'], detail: string, data?: ProblemDetails['data']): ProblemError =>
  new ProblemError(code, data === undefined ? { detail } : { detail, data });

function lost(
  { losses }: GatewayContext,
  token: CommitToken,
  to: IssuerAtLeader['lineage'][number],
  isPage: boolean,
): ProblemError {
  const operation = losses.losingOf(token, to) ?? null;
  const text = formatCommitToken(token);
  const by = operation === null ? '' : `; operation ${operation} lost it`;
  const detail = `position ${token.position} of shard ${token.shard} belongs to generation ${to.generation}, term ${to.term} from ${to.first_position} on (${to.reason})${by}`;
  return isPage
    ? problem('page_expired', `${detail}: begin again at the first page`, { operation })
    : problem('commit_token_lost', detail, { commit_token: text, operation });
}

const unknownToken = (token: CommitToken, head: string): ProblemError =>
  problem(
    'commit_token_unknown',
    `shard ${token.shard} ends at ${head} under the authority that ${formatCommitToken(token)} names`,
  );

function problemOf(result: Refused | Unknown, bounds: ReadBounds): ProblemError {
  if (result.kind === 'unknown')
    return problem(result.why === 'deadline' ? 'not_yet_durable' : 'outcome_unknown', result.message);
  if (result.reason === 'tooFarBack')
    return problem('page_expired', `${result.message}: begin again at the first page`);
  if (result.reason === 'notConfirmed' && bounds.at !== undefined)
    return problem('page_expired', result.message);
  return problem(judge(result).code, result.message);
}
