import type { EstateView } from '../../controlplane/estate-watch.ts';
import {
  type MoveRecord,
  type MoveReport,
  type OtherMoveReport,
  type OwnerMoveReport,
  otherOf,
  type Positions,
} from '../../domain/move-records.ts';
import { ApplyErrors } from './apply-errors.ts';
import { type Arrival, readMovingHeads } from './arrival.ts';
import { type StepTools, wipeAttempt } from './carry-out-step.ts';
import { isWhole } from './decide-step.ts';
import { holdBack } from './hold-back.ts';
import type { HostGauge } from './host-gauge.ts';
import type { MoveFacts } from './move-facts.ts';
import type { ReportBody } from './report-writer.ts';
import { slotWaitsFor } from './slot-maker.ts';
import { WIPED } from './statements.ts';
import { otherReport, ownerReport } from './stream-report.ts';
import { idleCopySlots } from './sweeper.ts';
import type { WantedObjects } from './wanted-objects.ts';

const WARM_EVERY_MS = 2_000;

export interface StreamTools extends StepTools {
  readonly host: HostGauge;
  readonly arrival: Arrival;
  /** Opens what a seal goes over, for opening may take longer than the pause may last. Never throws. */
  warmUp(): Promise<unknown>;
  close(): Promise<void>;
}

export interface StreamLook {
  readonly record: MoveRecord;
  readonly estate: EstateView;
  readonly facts: MoveFacts;
  readonly wanted: WantedObjects;
  readonly peer: MoveReport | undefined;
}

/** What is remembered of one stream from pass to pass: all of it can be found out again. */
export class StreamState {
  readonly #tools: StreamTools;
  #attempt = -1;
  #errors = new ApplyErrors();
  #yielding: string | null = null;
  #wiped = false;
  #sealed: OwnerMoveReport['sealed'] = null;
  #arrived: OtherMoveReport['arrived'] = null;
  #sealWaits: string | null = null;
  #copied = new Map<string, { readonly rows: bigint; readonly bytes: bigint }>();
  #failure: string | null = null;
  #warmedAtMs = -Infinity;

  constructor(tools: StreamTools) {
    this.#tools = tools;
  }

  begin({ attempt, seal }: MoveRecord): void {
    if (attempt !== this.#attempt) {
      this.#errors = new ApplyErrors();
      this.#copied = new Map();
      this.#attempt = attempt;
    }
    if (this.#sealed?.seal !== seal?.id) this.#sealed = null;
    if (this.#arrived?.seal !== seal?.id) this.#arrived = null;
    if (seal === null) this.#sealWaits = null;
  }

  noteSealed({ seal }: MoveRecord, positions: Positions): void {
    if (seal !== null) this.#sealed = { seal: seal.id, positions };
  }

  /** Why the last step failed; null: it didn't. */
  noteStep(failure: string | null): void {
    this.#failure = failure;
  }

  /** Looks for the seal at the receiver. False: nothing is new since the last look, and nothing else need be looked at now. */
  async mayHaveArrived(record: MoveRecord, estate: EstateView): Promise<boolean> {
    const { context, arrival } = this.#tools;
    if (this.#arrived !== null) return true;
    const view = estate.clusters.get(context.cluster);
    const found =
      view === undefined
        ? 'nothing is known of it'
        : await arrival.look(record, view, context.clock.monotonicMs());
    const waits = typeof found === 'string' ? found : null;
    if (typeof found !== 'string') this.#arrived = found;
    // What holds it up is reported when it changes, and the subscription is seen to.
    const isNews = waits !== this.#sealWaits;
    this.#sealWaits = waits;
    return isNews || this.#arrived !== null;
  }

  async look({ record, estate, facts, wanted, peer }: StreamLook) {
    const { context, admin } = this.#tools;
    const { cluster, clock } = context;
    if (record.phase === 'follow' && clock.monotonicMs() - this.#warmedAtMs > WARM_EVERY_MS) {
      this.#warmedAtMs = clock.monotonicMs();
      void this.#tools.warmUp();
    }
    const subscription = facts.subscriptions.find(({ name }) => name === wanted.subscription);
    for (const { table, rows, bytes } of subscription?.copying ?? [])
      this.#copied.set(table, { rows: BigInt(rows), bytes: BigInt(bytes) });
    this.#yielding = holdBack({
      paused: record.paused,
      ownerCommitMs: peer?.role === 'owner' ? peer.commitMs : null,
      claimStands: claimStands(estate, cluster),
      holds: this.#yielding !== null,
    });
    const mayApply = subscription === undefined || this.#errors.mayApply(subscription, clock.monotonicMs());
    const asks = cluster === otherOf(record) && (record.phase === 'copy' || record.phase === 'clean');
    if (asks) {
      const about = [record.operation, wipeAttempt(record), [...record.shards]];
      this.#wiped = (await admin.one<{ wiped: boolean }>(WIPED, about)).wiped;
    }
    return {
      wiped: this.#wiped,
      held: this.#yielding ?? (mayApply ? null : 'its worker stopped at an error'),
      sealed: this.#sealed !== null,
    };
  }

  async report(
    look: StreamLook & { readonly strangers: boolean; readonly term: number },
  ): Promise<ReportBody> {
    const { record, estate, facts, wanted, peer, term, strangers } = look;
    const { admin, context, host } = this.#tools;
    const isOwner = record.owner === context.cluster;
    const heads = await readMovingHeads(admin, record.shards);
    const { operation, stream, attempt, leg, phase } = record;
    const left = [
      facts.subscriptions,
      facts.slots,
      facts.publications,
      idleCopySlots(facts, estate, context.cluster),
    ];
    const nothingLeft = left.every((some) => some.length === 0);
    const common = {
      operation,
      stream,
      term,
      attempt,
      leg,
      phase,
      clean: phase === 'clean' && nothingLeft && !strangers && (isOwner || this.#wiped),
      problem: await this.#problem(look),
    };
    if (isOwner) {
      const figures = await host.read(facts.flushedLsn);
      return {
        ...common,
        ...ownerReport({ record, facts, wanted, heads, host: figures, sealed: this.#sealed }),
      };
    }
    const subscription = facts.subscriptions.find(({ name }) => name === wanted.subscription);
    const arrived = subscription !== undefined && isWhole(subscription) ? this.#arrived : null;
    const other = otherReport({
      facts,
      wanted,
      heads,
      peer,
      wiped: this.#wiped,
      copied: this.#copiedSoFar(),
      yielding: subscription?.enabled === true ? null : this.#yielding,
      waitingFor: await this.#waitsFor(facts, wanted.wayBack),
      arrived,
    });
    return { ...common, ...other };
  }

  #copiedSoFar(): { readonly rows: string | null; readonly bytes: string | null } {
    if (this.#copied.size === 0) return { rows: null, bytes: null };
    const all = [...this.#copied.values()];
    const sum = (of: (one: (typeof all)[number]) => bigint) =>
      String(all.reduce((total, one) => total + of(one), 0n));
    return { rows: sum(({ rows }) => rows), bytes: sum(({ bytes }) => bytes) };
  }

  async #waitsFor(facts: MoveFacts, slotName: string | null): Promise<string | null> {
    const slot = facts.slots.find(({ name }) => name === slotName);
    if (slot?.state !== 'absent' || slot.activePid === null) return null;
    return slotWaitsFor(this.#tools.admin, slot.activePid);
  }

  async #problem({ record, facts, wanted }: StreamLook): Promise<string | null> {
    const { ground, slots } = this.#tools;
    const name = wanted.subscription;
    if (name !== null && this.#errors.standing > 0) {
      const said = (await ground.lastErrorOf(name)) ?? 'see its log';
      return `Postgres stopped applying at an error (${this.#errors.standing} so far): ${said}`;
    }
    if (name !== null && record.phase === 'follow' && facts.subscriptions.length === 0)
      return 'the subscription is gone: cancel, or copy again';
    const sending = await this.#waitsFor(facts, wanted.sending);
    return (
      this.#failure ??
      this.#sealWaits ??
      slots.problem ??
      (sending === null ? null : `the slot waits for ${sending}`)
    );
  }
}

/** What can't be proved isn't near; a cluster without a remote follower has none that could lag. */
function claimStands(estate: EstateView, cluster: string): boolean {
  const view = estate.clusters.get(cluster);
  const members = Object.values(view?.membership?.value.members ?? {});
  if (!members.some(({ role }) => role === 'observer')) return true;
  const claim = view?.claim?.value;
  return claim?.status === 'advertised' && claim.term === view?.authority?.value.term;
}
