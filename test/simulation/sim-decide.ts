import { FenceState } from '../../src/domain/sqlstate.ts';
import { type Asked, fence, type Passed } from './fence.ts';
import type { SimServer } from './sim-server.ts';
import type { Change, Decision } from './wal.ts';

export interface DecideRequest extends Asked {
  readonly cluster: string;
  /** Empty: only the outcome of `resolve` is asked for. */
  readonly tokens: readonly string[];
  readonly resolve: string | undefined;
}

export type Answer =
  | { readonly kind: 'row'; readonly text: string; readonly warning: boolean }
  | { readonly kind: 'error'; readonly code: string };

const LOCK_WAIT_MS = 1_000;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * `capstan.decide` and `capstan.resolve` (003-decide.sql, 004-reads.sql): the head's lock, the fence, the outcomes, the fence once
 * more at the commit, the log, the wait for followers, and only then the row is visible and the answer leaves.
 */
export function decide(server: SimServer, asked: DecideRequest, answer: (answer: Answer) => void): void {
  const { process, locks, postgres } = server;
  const { random } = postgres.environment.scheduler;
  const { shard } = asked;
  const refuse = (code: string) => answer({ kind: 'error', code });
  if (server.mode !== 'primary') {
    refuse(FenceState.notLeader);
    return;
  }
  const decideLocked = () => {
    const passed = fenceOf(server, asked);
    if (typeof passed === 'string') {
      locks.free(shard);
      refuse(passed);
      return;
    }
    const { outcomes, changes } = outcomesOf(server, asked);
    server.busy += 1;
    const commit = () => {
      // Only a head that moves is checked again at the commit.
      const checked = changes.length === 0 ? passed : fenceOf(server, { ...asked, cluster: null });
      if (typeof checked === 'string') {
        server.busy -= 1;
        locks.free(shard);
        refuse(checked);
        return;
      }
      const logged: readonly Change[] =
        changes.length === 0 ? [{ kind: 'nothing', why: 'a lock on the head' }] : changes;
      server.append(logged, (lsn, records) =>
        wait(server, lsn, (warning) => {
          for (const record of records) server.tables.apply(record);
          server.busy -= 1;
          locks.free(shard);
          const { member, environment } = postgres;
          if (!warning)
            for (const token of [...asked.tokens, ...(asked.resolve === undefined ? [] : [asked.resolve])])
              environment.observer.acknowledged(member, token, shard);
          answer({ kind: 'row', warning, text: textOf(server, asked, passed, outcomes()) });
        }),
      );
    };
    if (random.chance(0.5)) commit();
    else process.timer(random.between(0.3, 4), commit, `${process.name} commits`);
  };
  locks.take(shard, LOCK_WAIT_MS, decideLocked, () => refuse(LOCK_NOT_AVAILABLE));
}

function wait(server: SimServer, lsn: number, done: (warning: boolean) => void): void {
  if (server.postgres.environment.planted === 'answers-before-the-follower') done(false);
  else server.waitForFollowers(lsn, done);
}

function fenceOf(server: SimServer, asked: Asked): Passed | string {
  const inputs = server.fenceInputs;
  const { planted } = server.postgres.environment;
  const { lease, tables } = inputs;
  if (planted !== 'decides-without-the-term' || lease === undefined || tables.state === undefined)
    return fence(inputs, asked);
  const { term } = tables.state;
  return fence({ ...inputs, lease: { ...lease, term } }, { ...asked, term });
}

function outcomesOf(server: SimServer, asked: DecideRequest) {
  const { tables, postgres } = server;
  const { shard, generation, term } = asked;
  const changes: Change[] = [];
  let position = tables.heads.get(shard) ?? 0;
  const decidedAt = new Date(postgres.host.wallMs()).toISOString();
  const found: { readonly replayed: boolean; readonly decision: Decision }[] = [];
  for (const token of asked.tokens) {
    const stored = tables.tokens.get(`${shard}/${token}`);
    if (stored !== undefined) {
      found.push({ replayed: true, decision: stored });
      continue;
    }
    position += 1;
    const decision = { position, generation, term, outcome: 'confirmed', decidedAt };
    changes.push({ kind: 'decide', shard, token, ...decision });
    found.push({ replayed: false, decision });
  }
  return { changes, outcomes: () => found };
}

function textOf(
  { tables }: SimServer,
  asked: DecideRequest,
  { leftMs, degraded, leader }: Passed,
  found: readonly { readonly replayed: boolean; readonly decision: Decision }[],
): string {
  const { shard, generation, term, epoch, resolve } = asked;
  const facts = {
    shard,
    generation,
    term,
    epoch,
    left_ms: leftMs,
    degraded,
    rpo_lag_ms: null,
    rpo_claim: null,
  };
  if (resolve === undefined)
    return JSON.stringify({ ...facts, outcomes: found.map((one) => shown(one.replayed, one.decision)) });
  const stored = tables.tokens.get(`${shard}/${resolve}`);
  return JSON.stringify({
    ...facts,
    status: stored?.outcome ?? 'not_found',
    head_position: String(tables.heads.get(shard) ?? 0),
    leader,
    hash: null,
    outcome: stored === undefined ? null : shown(true, stored),
  });
}

const shown = (replayed: boolean, decision: Decision) => ({
  outcome: decision.outcome,
  replayed,
  command: 'reserve',
  position: String(decision.position),
  generation: decision.generation,
  term: decision.term,
  reason: null,
  reservation: null,
  notional: null,
  remaining: null,
  reserved_after: null,
  limit_after: null,
  decided_at: decision.decidedAt,
});
