/** Reads that are bound to what a desk was just told, at every gateway, each judged by its own answer. */
import { Agent, request } from 'undici';
import { type CommitToken, parseCommitToken } from '../../src/domain/commit-token.ts';
import type { TestSandbox } from './sandbox.ts';

export interface BoundReads {
  shown: number;
  byFollower: number;
  refused: number;
  unanswered: number;
  readonly violations: string[];
}

export interface ReaderOptions {
  readonly sandbox: TestSandbox;
  readonly issuers: readonly string[];
  /** Marks this reader's tokens. */
  readonly name: string;
  /** Each write is read back so often, at every gateway in turn. */
  readonly readsPerWrite: number;
  readonly readsMax: number;
  readonly until: AbortSignal;
  readonly into: BoundReads;
}

const ANSWER_TIMEOUT_MS = 8_000;
const REFUSALS = new Set(['commit_token_behind', 'staleness_bound_unmet', 'commit_token_lost']);

/** Writes, and reads what it wrote at each region, until it has read enough or is told to stop. */
export async function readWhatIsWritten(options: ReaderOptions): Promise<void> {
  const { sandbox, issuers, name, readsPerWrite, readsMax, until, into } = options;
  const { gateways, keys } = sandbox.environment;
  const agent = new Agent({ connections: 4, pipelining: 1 });
  const send = async (region: string, method: 'GET' | 'POST', path: string, body?: unknown) => {
    const gateway = gateways.find((one) => one.region === region);
    const response = await request(`${gateway?.url}${path}`, {
      method,
      dispatcher: agent,
      headers: {
        authorization: `Bearer ${keys[`desk-${region}`]}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const document = (await response.body.json()) as Readonly<Record<string, unknown>>;
    return { status: response.statusCode, headers: response.headers, document };
  };
  try {
    for (let n = 0; !until.aborted && into.shown < readsMax; n += 1) {
      const issuer = issuers[n % issuers.length] ?? '';
      const reservation = `${name}-${String(n).padStart(7, '0')}`;
      const region = gateways[n % gateways.length]?.region ?? '';
      const body = {
        issuer_id: issuer,
        notional: '0.01',
        reservation_token: reservation,
        reservation_id: reservation,
      };
      const written = await send(region, 'POST', '/reservations', body).catch(() => undefined);
      if (written?.status !== 201) continue;
      const token = String(written.document['commit_token']);
      for (let read = 0; read < readsPerWrite; read += 1) {
        const at = gateways[read % gateways.length]?.region ?? '';
        // The page that begins at this reservation: it has to be the first of it.
        const after = `${name}-${String(n - 1).padStart(7, '0')}~`.replace('~', '.z');
        const query = new URLSearchParams({ commit_token: token, limit: '1', after });
        const path = `/issuers/${encodeURIComponent(issuer)}/open-reservations?${query.toString()}`;
        const answer = await send(at, 'GET', path).catch(() => undefined);
        if (answer === undefined) into.unanswered += 1;
        else judge(into, { at, token: parseCommitToken(token), reservation, ...answer });
      }
    }
  } finally {
    await agent.destroy();
  }
}

function judge(
  into: BoundReads,
  read: {
    readonly at: string;
    readonly token: CommitToken;
    readonly reservation: string;
    readonly status: number;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly document: Readonly<Record<string, unknown>>;
  },
): void {
  const { at, token, reservation, status, headers, document } = read;
  const code = String(document['code']);
  if (status !== 200) {
    into.refused += 1;
    const own = status === 503 || REFUSALS.has(code);
    if (!own || code === 'commit_token_lost')
      into.violations.push(`${at} answered ${status} ${code} to ${reservation}`);
    return;
  }
  into.shown += 1;
  if (String(headers['capstan-served-by']).startsWith('follower')) into.byFollower += 1;
  const shown = parseCommitToken(String(headers['capstan-position']));
  if (shown.position < token.position || shown.term < token.term)
    into.violations.push(`${at} showed @${shown.position} for @${token.position}`);
  const [first] = document['reservations'] as readonly { readonly reservation_id: string }[];
  if (first?.reservation_id !== reservation)
    into.violations.push(
      `${at} showed ${first?.reservation_id ?? 'nothing'} where ${reservation} was written`,
    );
}
