/** Two clusters whose leaders' agents are scripted: they write the reports of a rebalance that real agents would. */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/clock/system-clock.ts';
import { type EstateSnapshot, readEstateSnapshot } from '../../src/controlplane/estate-snapshot.ts';
import { legLost, streamView, termsOf } from '../../src/controlplane/rebalance/stream-view.ts';
import { nextMove } from '../../src/controlplane/rebalance/transitions.ts';
import { backOutIn } from '../../src/controlplane/rebalance/unseal.ts';
import { Transaction, type Versioned } from '../../src/controlplane/store.ts';
import type {
  MoveRecord,
  MoveReport,
  OtherMoveReport,
  OwnerMoveReport,
} from '../../src/domain/move-records.ts';
import type { Watch } from '../../src/etcd/port.ts';
import { ScriptedEstate } from './scripted-estate.ts';

export interface MoverScript {
  /** Does nothing at all. */
  dead?: boolean;
  /** Acts only on streams in other phases than these. */
  holds?: readonly MoveRecord['phase'][];
  /** Changes what it reports; undefined: reports nothing. */
  lies?: (report: MoveReport, record: MoveRecord) => MoveReport | undefined;
  /** Does not back a seal out when its time is up. */
  keepsSeal?: boolean;
  /** Acts this much later. */
  lagsMs?: number;
}

export class ScriptedMovers extends ScriptedEstate {
  readonly scripts: Record<string, MoverScript> = {};
  /** How long an owner's agent lets a seal stand beyond its budget. */
  sealGraceMs = 2_000;
  #watches: readonly Watch[] = [];
  #acting: Promise<void> = Promise.resolve();
  #queued = false;
  #stopped = false;
  readonly #seals = new Map<string, number>();
  readonly #said = new Map<string, string>();

  /** From now on both leaders' agents act on each change. */
  async start(): Promise<void> {
    const act = () => this.#actSoon();
    const prefixes = [this.keys.moves, this.keys.moveReports, this.keys.clusters];
    this.#watches = await Promise.all(
      prefixes.map((prefix) => this.etcd.watch(prefix, { onSnapshot: act, onEvents: act })),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#watches.map((watch) => watch.close()));
    await this.#acting;
  }

  estate(): Promise<EstateSnapshot> {
    return readEstateSnapshot(this.etcd, this.keys);
  }

  async streams(): Promise<readonly MoveRecord[]> {
    return [...(await this.estate()).moves.values()].map(({ value }) => value);
  }

  /** Also after a script was changed. */
  nudge(): void {
    this.#actSoon();
  }

  #actSoon(): void {
    if (this.#queued || this.#stopped) return;
    this.#queued = true;
    this.#acting = this.#actAfter(this.#acting);
  }

  async #actAfter(before: Promise<void>): Promise<void> {
    await before;
    this.#queued = false;
    if (this.#stopped) return;
    try {
      await this.#act();
    } catch (error) {
      if (!this.#stopped) process.stderr.write(`scripted movers: ${String(error)}\n`);
    }
  }

  async #act(): Promise<void> {
    const estate = await this.estate();
    for (const move of estate.moves.values())
      for (const cluster of [move.value.from, move.value.to]) await this.#actFor(estate, cluster, move);
  }

  async #actFor(estate: EstateSnapshot, cluster: string, move: Versioned<MoveRecord>): Promise<void> {
    const script = this.scripts[cluster] ?? {};
    const { value: record } = move;
    const authority = estate.clusters.get(cluster)?.authority?.value;
    const idle = script.dead === true || script.holds?.includes(record.phase) === true;
    if (idle || authority?.phase !== 'open' || record.phase === 'queued') return;
    if (script.lagsMs !== undefined) await delay(script.lagsMs);
    if (record.owner === cluster && (await this.#decides(estate, move))) return;
    const honest: MoveReport = {
      operation: record.operation,
      stream: record.stream,
      cluster,
      member: authority.leader ?? '',
      term: authority.term,
      attempt: record.attempt,
      leg: record.leg,
      phase: record.phase,
      clean: record.phase === 'clean',
      problem: null,
      at: '',
      ...(record.owner === cluster ? this.#owner(record) : this.#other(estate, record)),
    };
    const report = script.lies === undefined ? honest : script.lies(honest, record);
    const key = this.keys.moveReport(record.operation, record.stream, cluster);
    const text = JSON.stringify(report);
    if (report === undefined || this.#said.get(key) === text) return;
    const written = await new Transaction(this.etcd)
      .expect(this.keys.authority(cluster), estate.clusters.get(cluster)?.authority?.revision ?? '')
      .expect(this.keys.move(record.operation, record.stream), move.revision)
      .put(key, { ...report, at: new Date().toISOString() })
      .commit();
    if (written) this.#said.set(key, text);
    else this.#actSoon();
  }

  #owner(record: MoveRecord): OwnerMoveReport {
    const { seal } = record;
    return {
      role: 'owner',
      slot: 'active',
      retainedWalBytes: '4096',
      walBytesPerSecond: 100,
      diskFreeBytes: '1000000',
      commitMs: 2,
      sealed: seal === null ? null : { seal: seal.id, positions: this.positions(record) },
      turned: record.phase === 'turn',
    };
  }

  #other(estate: EstateSnapshot, record: MoveRecord): OtherMoveReport {
    const key = this.keys.moveReport(record.operation, record.stream, record.owner);
    const owner = estate.moveReports.get(key)?.value;
    const sealed = owner?.role === 'owner' && owner.sealed?.seal === record.seal?.id ? owner.sealed : null;
    return {
      role: 'other',
      wiped: true,
      tables: { total: 3, ready: 3 },
      rowsCopied: '300',
      bytesCopied: '30000',
      lagBytes: '0',
      lagPositions: '0',
      following: record.phase !== 'clean',
      yielding: null,
      wayBack: { slot: 'made', waitingFor: null },
      arrived:
        record.phase !== 'seal' || sealed === null
          ? null
          : { seal: sealed.seal, positions: sealed.positions, lsn: '0/5000000' },
    };
  }

  positions({ shards }: Pick<MoveRecord, 'shards'>): Record<string, string> {
    return Object.fromEntries(shards.map((shard) => [shard, this.heads.get(`${shard}`) ?? '0']));
  }

  /** What the owner's agent may write of the stream itself: what was lost, and the back-out of a seal whose time is up. */
  async #decides(estate: EstateSnapshot, move: Versioned<MoveRecord>): Promise<boolean> {
    const { keys } = this;
    const { value: record } = move;
    const transaction = new Transaction(this.etcd);
    const view = streamView(keys, estate, move);
    const lost = legLost(view);
    if (lost !== undefined && ['copy', 'follow', 'turn'].includes(record.phase)) {
      const next = nextMove(record, 'lost', new Date().toISOString(), { terms: termsOf(view) ?? null });
      const key = keys.move(record.operation, record.stream);
      return transaction.expect(key, move.revision).put(key, next).commit();
    }
    const { seal } = record;
    if (seal === null || this.scripts[record.owner]?.keepsSeal === true) return false;
    const seen = this.#seals.get(seal.id);
    const overMs = seal.budgetMs + this.sealGraceMs;
    if (seen === undefined) {
      this.#seals.set(seal.id, performance.now());
      setTimeout(() => this.#actSoon(), overMs + 5).unref();
    }
    if (seen === undefined || performance.now() - seen < overMs) return false;
    const error = { code: 'seal_expired', message: 'nobody flipped it in time' };
    const about = { keys, clock: systemClock, held: move, sight: estate, actor: 'agent', error };
    backOutIn(transaction, about);
    return transaction.commit();
  }
}
