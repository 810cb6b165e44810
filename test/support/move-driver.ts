/** Drives one stream as a coordinator would, by writing its records: what is tested is what both leaders' agents make of them. */
import { changeMapIn } from '../../src/controlplane/change-map.ts';
import { nextMove, type MoveEvent, type MovePatch } from '../../src/controlplane/rebalance/transitions.ts';
import { entriesOf } from '../../src/controlplane/rebalance/unseal.ts';
import { ABSENT, readRecord, Transaction, type Versioned } from '../../src/controlplane/store.ts';
import type { EstateView } from '../../src/controlplane/estate-watch.ts';
import {
  type MoveRecord,
  type MoveReport,
  otherOf,
  type OtherMoveReport,
  type OwnerMoveReport,
  streamPrefix,
} from '../../src/domain/move-records.ts';
import { eventually } from './etcd.ts';
import { FROM, TO, type TwoClusters } from './two-clusters.ts';

type Of<R> = MoveReport & R;

/** For a machine that other tests keep busy. */
const PATIENCE_MS = 60_000;

let seals = 0;

export class MoveDriver {
  readonly #world: TwoClusters;
  readonly #key: string;
  readonly operation: string;
  readonly shards: readonly number[];

  private constructor(world: TwoClusters, operation: string, shards: readonly number[]) {
    this.#world = world;
    this.operation = operation;
    this.shards = shards;
    this.#key = world.keys.move(operation, 1);
  }

  /** A stream that is being copied from now on. */
  static async begin(
    world: TwoClusters,
    operation: string,
    shards: readonly number[],
    about: { readonly from?: string; readonly to?: string } = {},
  ): Promise<MoveDriver> {
    const { from = FROM, to = TO } = about;
    const driver = new MoveDriver(world, operation, shards);
    const at = new Date().toISOString();
    const record: MoveRecord = {
      operation,
      stream: 1,
      shards,
      from,
      to,
      owner: from,
      phase: 'copy',
      attempt: 1,
      leg: 0,
      terms: driver.termsNow(from, to),
      paused: false,
      cursor: null,
      verification: null,
      differences: [],
      seal: null,
      handover: null,
      error: null,
      since: at,
      updatedAt: at,
    };
    const key = world.keys.move(operation, 1);
    if (!(await driver.#commit(new Transaction(world.port).expect(key, ABSENT).put(key, record))))
      throw new Error('there is such a stream');
    return driver;
  }

  termsNow(from: string, to: string): Record<string, number> {
    return { [from]: this.#world.termOf(from), [to]: this.#world.termOf(to) };
  }

  async held(): Promise<Versioned<MoveRecord>> {
    const held = await readRecord<MoveRecord>(this.#world.port, this.#key);
    if (held === undefined) throw new Error('no such stream');
    return held;
  }

  /** As the watch shows it. */
  record(): MoveRecord {
    const record = this.#world.view().moves.get(this.#key)?.value;
    if (record === undefined) throw new Error('no such stream');
    return record;
  }

  /** Until a transition that somebody else makes. */
  until(what: string, holds: (record: MoveRecord) => boolean, timeoutMs = PATIENCE_MS): Promise<unknown> {
    const key = this.#key;
    const seen = ({ moves }: EstateView) => {
      const record = moves.get(key)?.value;
      return record !== undefined && holds(record);
    };
    return this.#world.until(what, seen, timeoutMs);
  }

  get prefix(): string {
    return streamPrefix({ operation: this.operation, stream: 1 });
  }

  /** Carries an event out that doesn't touch the map. */
  async send(event: MoveEvent, patch: MovePatch = {}): Promise<MoveRecord> {
    return eventually(`${event} is written`, async () => {
      const held = await this.held();
      const next = nextMove(held.value, event, new Date().toISOString(), patch);
      return (await this.#put(held, next)) ? next : undefined;
    });
  }

  /** The map says `sealed`. Answers when that was sent, by this process's clock. */
  async seal(budgetMs = 60_000): Promise<{ readonly id: string; readonly atMs: number }> {
    seals += 1;
    const id = `seal-${seals}`;
    const held = await this.held();
    const at = new Date().toISOString();
    const next = nextMove(held.value, 'cutover', at, { seal: { id, at, budgetMs } });
    const { owner } = held.value;
    const atMs = performance.now();
    await this.#changeMap(held, next, (entry) => ({ entry, cluster: owner, state: 'sealed' as const }));
    return { id, atMs };
  }

  /** The map names the other one, which stood there. */
  async flip({ positions, lsn }: NonNullable<OtherMoveReport['arrived']>): Promise<MoveRecord> {
    const held = await this.held();
    const at = new Date().toISOString();
    const owner = otherOf(held.value);
    const handover = { positions, lsn, pauseMs: null, at };
    const next = nextMove(held.value, 'flip', at, { owner, handover });
    await this.#changeMap(held, next, (entry) => ({
      entry,
      cluster: owner,
      state: 'serving' as const,
      handover: positions[String(entry.value.shard)] ?? '0',
    }));
    return next;
  }

  /** Copy, then follow: until the way back stands too. */
  async untilFollowing(timeoutMs = PATIENCE_MS): Promise<Of<OtherMoveReport>> {
    const report = await this.untilOther(
      'it follows and the way back stands',
      (other) =>
        other.following &&
        other.lagPositions !== null &&
        (other.wayBack.slot === 'made' || other.wayBack.slot === 'active'),
      timeoutMs,
    );
    if (this.record().phase === 'copy') await this.send('ready');
    return report;
  }

  async untilArrived(
    seal: string,
    timeoutMs = PATIENCE_MS,
  ): Promise<NonNullable<OtherMoveReport['arrived']>> {
    const { arrived } = await this.untilOther(
      `${seal} has arrived`,
      (report) => report.arrived?.seal === seal,
      timeoutMs,
    );
    if (arrived === null) throw new Error('not arrived');
    return arrived;
  }

  async untilTurned(timeoutMs = PATIENCE_MS): Promise<void> {
    await this.untilOwner('the new owner has turned', ({ turned }) => turned, timeoutMs);
    await this.untilOther('the old owner follows', ({ following }) => following, timeoutMs);
    await this.send('turned');
  }

  async untilClean(timeoutMs = PATIENCE_MS): Promise<void> {
    await this.untilOwner('the owner is clean', ({ clean }) => clean, timeoutMs);
    await this.untilOther('the other is clean', ({ clean }) => clean, timeoutMs);
  }

  /** Removes the stream from etcd, as the end of an operation does. */
  async remove(): Promise<void> {
    const { port, keys } = this.#world;
    const { kvs } = await port.range(keys.moveReportsOf(this.operation));
    const transaction = new Transaction(port).delete(this.#key);
    for (const { key } of kvs) transaction.delete(key);
    await this.#commit(transaction);
  }

  untilOwner(
    what: string,
    holds: (report: Of<OwnerMoveReport>) => boolean,
    timeoutMs = PATIENCE_MS,
  ): Promise<Of<OwnerMoveReport>> {
    return this.#untilReport(
      what,
      (report) => report.role === 'owner' && holds(report),
      timeoutMs,
    ) as Promise<Of<OwnerMoveReport>>;
  }

  untilOther(
    what: string,
    holds: (report: Of<OtherMoveReport>) => boolean,
    timeoutMs = PATIENCE_MS,
  ): Promise<Of<OtherMoveReport>> {
    return this.#untilReport(
      what,
      (report) => report.role === 'other' && holds(report),
      timeoutMs,
    ) as Promise<Of<OtherMoveReport>>;
  }

  /** Of the phase, attempt and leg that stand now. */
  async #untilReport(
    what: string,
    holds: (report: MoveReport) => boolean,
    timeoutMs: number,
  ): Promise<MoveReport> {
    const { watch, keys } = this.#world;
    const moveReports = keys.moveReportsOf(this.operation);
    const key = this.#key;
    let found: MoveReport | undefined;
    try {
      await watch.until(
        (view) => {
          const record = view.moves.get(key)?.value;
          found = [...view.moveReports]
            .filter(([name]) => name.startsWith(moveReports))
            .map(([, { value }]) => value)
            .find(
              (report) =>
                report.attempt === record?.attempt &&
                report.leg === record.leg &&
                report.phase === record.phase &&
                holds(report),
            );
          return found !== undefined;
        },
        { what, timeoutMs },
      );
    } catch (error) {
      const reports = [...this.#world.view().moveReports.values()].map(({ value }) => value);
      throw new Error(
        `${what}: ${JSON.stringify(this.#world.view().moves.get(key)?.value ?? null)}\n${JSON.stringify(reports, null, 1)}`,
        { cause: error },
      );
    }
    if (found === undefined) throw new Error(what);
    return found;
  }

  async #put(held: Versioned<MoveRecord>, next: MoveRecord): Promise<boolean> {
    return this.#commit(
      new Transaction(this.#world.port).expect(this.#key, held.revision).put(this.#key, next),
    );
  }

  /** And until the watch shows it: what is waited for next is judged by the record that stands. */
  async #commit(transaction: Transaction): Promise<boolean> {
    const revision = await transaction.commitAt();
    if (revision === undefined) return false;
    const shown = (view: EstateView) => BigInt(view.revision) >= BigInt(revision);
    await this.#world.until('the watch shows it', shown);
    return true;
  }

  async #changeMap(
    held: Versioned<MoveRecord>,
    next: MoveRecord,
    move: (
      entry: Parameters<typeof changeMapIn>[1]['moves'][number]['entry'],
    ) => Parameters<typeof changeMapIn>[1]['moves'][number],
  ): Promise<void> {
    const { port, keys } = this.#world;
    const { map, shards } = this.#world.view();
    if (map === undefined) throw new Error('no map');
    const transaction = new Transaction(port).expect(this.#key, held.revision).put(this.#key, next);
    const moves = entriesOf({ map, shards }, this.shards).map(move);
    changeMapIn(transaction, {
      keys,
      map,
      moves,
      actor: 'test',
      reason: next.phase,
      operation: this.operation,
    });
    if (!(await this.#commit(transaction))) throw new Error(`${next.phase} was not written`);
  }
}
