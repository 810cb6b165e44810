/** What a remote follower really lacks, sampled beside what readers are told of it. */
import type { Client } from 'pg';
import { rpoStanding } from '../../src/controlplane/rpo-gate-standing.ts';
import { parseLsn } from '../../src/domain/lsn.ts';
import type { ClaimStatus } from '../../src/domain/rpo-claim.ts';
import type { TestEstate } from './agents.ts';

export interface LagSample {
  readonly claim: ClaimStatus;
  readonly lagMs: number | null;
  /** The true lag is at least this. */
  readonly behindMs: number;
}

const lsnOf = async (client: Client, expression: string): Promise<bigint> => {
  const { rows } = await client.query<{ lsn: string }>(`select (${expression})::text as lsn`);
  return parseLsn(rows[0]?.lsn ?? '') ?? 0n;
};

/**
 * Writes to the leader, so that there is something to lack, and samples until it is stopped. The claim is read first and
 * judged by a later clock, the follower is asked last: what is told can only look better than it is, never worse.
 */
export class LagSampler {
  readonly samples: LagSample[] = [];
  readonly #world: TestEstate;
  readonly #flushed: { readonly atMs: number; readonly lsn: bigint }[] = [];
  readonly #stopping = new AbortController();
  readonly #done: Promise<void>;

  constructor(world: TestEstate, clients: { readonly leader: Client; readonly follower: Client }) {
    this.#world = world;
    this.#done = this.#run(clients);
  }

  async stop(): Promise<readonly LagSample[]> {
    this.#stopping.abort();
    await this.#done;
    return this.samples;
  }

  async #run({ leader, follower }: { leader: Client; follower: Client }): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await leader.query(`select pg_logical_emit_message(true, 'lag', repeat('x', 100))`);
      const lsn = await lsnOf(leader, 'pg_current_wal_flush_lsn()');
      this.#flushed.push({ atMs: Date.now(), lsn });
      const view = await this.#world.view();
      const nowMs = Date.now();
      const { claim, lagMs } = rpoStanding(view, this.#world.contract, nowMs);
      const replayed = await lsnOf(follower, 'pg_last_wal_replay_lsn()');
      const lacking = this.#flushed.find((entry) => entry.lsn > replayed);
      this.samples.push({ claim, lagMs, behindMs: lacking === undefined ? 0 : nowMs - lacking.atMs });
    }
  }
}
