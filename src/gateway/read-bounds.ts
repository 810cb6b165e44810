import type { FastifyRequest } from 'fastify';
import { type CommitToken, parseCommitToken } from '../domain/commit-token.ts';
import { messageOf } from '../domain/errors.ts';
import type { WhenBehind } from '../domain/reading.ts';
import { fieldInvalid } from './problem.ts';

/** What a read demands of the state that it is shown. With none of the first three, its leader shows it. */
export interface ReadBounds {
  /** Reflected by the answer. */
  readonly token: CommitToken | undefined;
  readonly maxStalenessMs: number | undefined;
  /** The very state that is shown: of an earlier page. */
  readonly at: CommitToken | undefined;
  readonly whenBehind: WhenBehind | undefined;
}

interface BoundsQuery {
  readonly commit_token?: string | undefined;
  readonly max_staleness_ms?: number | undefined;
  readonly when_behind?: WhenBehind | undefined;
  readonly at?: string | undefined;
}

/** Refuses tokens of another shard than the issuer's, and bounds that contradict each other. */
export function readBounds(request: FastifyRequest, query: BoundsQuery, shard: number): ReadBounds {
  const header = request.headers['capstan-commit-token'];
  const inHeader = Array.isArray(header) ? header.join(', ') : header;
  if (query.commit_token !== undefined && inHeader !== undefined && query.commit_token !== inHeader)
    throw fieldInvalid('commit_token', 'differs from the header Capstan-Commit-Token');
  const token = tokenOf('commit_token', query.commit_token ?? inHeader, shard);
  const at = tokenOf('at', query.at, shard);
  if (at !== undefined && query.max_staleness_ms !== undefined)
    throw fieldInvalid('max_staleness_ms', 'a page shows the state of its first page: leave one of both out');
  if (at !== undefined && token !== undefined && at.position < token.position)
    throw fieldInvalid('at', 'lies before commit_token: begin again at the first page');
  return { token, maxStalenessMs: query.max_staleness_ms, at, whenBehind: query.when_behind };
}

export const isBounded = ({ token, maxStalenessMs, at }: ReadBounds): boolean =>
  token !== undefined || maxStalenessMs !== undefined || at !== undefined;

function tokenOf(field: string, text: string | undefined, shard: number): CommitToken | undefined {
  if (text === undefined) return undefined;
  let token: CommitToken;
  try {
    token = parseCommitToken(text);
  } catch (error) {
    throw fieldInvalid(field, messageOf(error));
  }
  if (token.shard !== shard)
    throw fieldInvalid(field, `names shard ${token.shard}; this issuer is on shard ${shard}`);
  return token;
}
