import { timestampOf } from '../../clock/clock.ts';
import type { EstateView } from '../../controlplane/estate-watch.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../../controlplane/estate-snapshot.ts';
import { whyObjectStays, whyRowsStay } from '../../controlplane/rebalance/orphans.ts';
import { Transaction, type Versioned } from '../../controlplane/store.ts';
import { messageOf } from '../../domain/errors.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import type { ShardId } from '../../domain/shard.ts';
import type { MoveOrphans, SweepReport } from '../../domain/sweep-records.ts';
import { wipeShards, WIPE_REFUSED } from '../../reservations/moves-sql.ts';
import type { MemberContext } from '../context.ts';
import type { Session } from '../local-session.ts';
import { WIPE_ROWS } from './carry-out-step.ts';
import { readMoveFacts } from './move-facts.ts';
import { dropObject, OBJECT_KINDS, type ObjectKind, objectsIn } from './orphan-objects.ts';

/** For what goes by itself: whoever uses a slot ends, the reconciler adopts the map. */
const PATIENCE_MS = 3_000;
const AGAIN_MS = 250;

export interface RequestedSweepOptions {
  readonly context: MemberContext;
  /** A superuser's, that waits for no follower. */
  readonly admin: Session;
  /** The agent role's. */
  readonly agent: Session;
  /** Under what this member leads; undefined: it doesn't. */
  readonly standing: () =>
    | {
        readonly estate: EstateView;
        readonly authority: Versioned<AuthorityRecord>;
        readonly leased: boolean;
      }
    | undefined;
}

/**
 * Carries out what a person asks to be swept (src/domain/sweep-records.ts), thing by thing, each judged by etcd itself right before it
 * goes. All of it may be repeated: what is gone already counts as swept.
 */
export class RequestedSweep {
  readonly #options: RequestedSweepOptions;

  constructor(options: RequestedSweepOptions) {
    this.#options = options;
  }

  /** Carries a request out that isn't answered yet, and answers it. Throws what keeps it from that: it is tried anew. */
  async step(signal: AbortSignal): Promise<void> {
    const { context, standing } = this.#options;
    const { etcd, keys, cluster, member, clock, contract, logger } = context;
    const stands = standing();
    const view = stands?.estate.clusters.get(cluster);
    const request = view?.sweepRequest;
    if (stands?.leased !== true || request === undefined) return;
    if (view?.sweepReport?.value.id === request.value.id) return;
    const { id, orphans } = request.value;
    const { swept, left } = await this.#sweep(id, orphans, signal);
    const { term } = stands.authority.value;
    const report: SweepReport = { id, member, term, swept, left, at: timestampOf(clock) };
    await new Transaction(etcd)
      .expect(keys.authority(cluster), stands.authority.revision)
      .expect(keys.sweepRequest(cluster), request.revision)
      .put(keys.sweepReport(cluster), report)
      .commit({ timeoutMs: contract.deadlines.etcdMs, repeatable: true });
    logger.info({ request: id, swept, left }, 'what was asked for was swept');
  }

  async #sweep(
    id: string,
    orphans: MoveOrphans,
    signal: AbortSignal,
  ): Promise<Pick<SweepReport, 'swept' | 'left'>> {
    const swept = { subscriptions: [], slots: [], publications: [], shards: [] } as {
      -readonly [K in keyof MoveOrphans]: MoveOrphans[K][number][];
    };
    const left: SweepReport['left'][number][] = [];
    for (const kind of OBJECT_KINDS) {
      for (const name of orphans[kind]) {
        const why = await this.#patiently(signal, () => this.#dropObject(kind, name));
        if (why === undefined) swept[kind].push(name);
        else left.push({ name, why });
      }
    }
    for (const shard of orphans.shards) {
      const why = await this.#patiently(signal, () => this.#wipe(id, shard, signal));
      if (why === undefined) swept.shards.push(shard);
      else left.push({ name: `shard ${shard}`, why });
    }
    return { swept, left };
  }

  /** Again and again while it may still go by itself. */
  async #patiently(
    signal: AbortSignal,
    go: () => Promise<{ readonly why: string; readonly forGood: boolean } | undefined>,
  ): Promise<string | undefined> {
    const { clock } = this.#options.context;
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      const kept = await go();
      if (kept === undefined) return undefined;
      if (kept.forGood || clock.monotonicMs() >= untilMs) return kept.why;
      await clock.sleep(AGAIN_MS, signal);
      signal.throwIfAborted();
    }
  }

  async #dropObject(kind: ObjectKind, name: string) {
    const { context, admin } = this.#options;
    const why = whyObjectStays(name, await this.#look(), context.cluster);
    if (why !== undefined) return { why, forGood: true };
    if (!objectsIn(await readMoveFacts(admin), kind).includes(name)) return undefined;
    try {
      await dropObject(admin, kind, name);
    } catch (error) {
      return { why: messageOf(error), forGood: false };
    }
    const there = objectsIn(await readMoveFacts(admin), kind).includes(name);
    return there ? { why: 'it is still in use', forGood: false } : undefined;
  }

  /**
   * The revision is that of the very state of etcd by which the rows may go, for all chunks: a later copy notes a later one when it
   * makes room for itself, so what was held up since is refused, however long it was. Only a new look may try with a newer one.
   */
  async #wipe(operation: string, shard: ShardId, signal: AbortSignal) {
    const { context, admin, agent } = this.#options;
    const { cluster, logger } = context;
    const estate = await this.#look();
    const why = whyRowsStay(shard, estate, cluster);
    if (why !== undefined) return { why, forGood: true };
    const { subscriptions } = await readMoveFacts(admin);
    const writes = subscriptions.find(({ name }) => whyObjectStays(name, estate, cluster) === undefined);
    if (writes !== undefined)
      return { why: `subscription ${writes.name} of a move that is over may still write`, forGood: false };
    const about = { operation, attempt: 1, revision: estate.revision, shards: [shard], rowsMax: WIPE_ROWS };
    try {
      for (let deleted = 0; ;) {
        signal.throwIfAborted();
        this.#stands();
        const chunk = await agent.use((client) => wipeShards(client, about));
        deleted += chunk.deleted;
        if (chunk.left > 0) continue;
        logger.info({ shard, rows: deleted }, 'rows that a move left behind were wiped');
        return undefined;
      }
    } catch (error) {
      if ((error as { code?: string }).code !== WIPE_REFUSED) throw error;
      return { why: messageOf(error), forGood: false };
    }
  }

  #stands(): Versioned<AuthorityRecord> {
    const stands = this.#options.standing();
    if (stands?.leased !== true) throw new Error('this member does not lead, or holds no lease');
    return stands.authority;
  }

  /** Etcd itself, under the authority that this member holds. */
  async #look(): Promise<EstateSnapshot> {
    const { etcd, keys, cluster, contract } = this.#options.context;
    const { revision } = this.#stands();
    const estate = await readEstateSnapshot(etcd, keys, { timeoutMs: contract.deadlines.etcdMs });
    if (estate.clusters.get(cluster)?.authority?.revision !== revision)
      throw new Error('the authority has changed');
    this.#stands();
    return estate;
  }
}
