import { Wake } from '../../clock/wake.ts';
import type { EstateView, EstateWatch } from '../../controlplane/estate-watch.ts';
import { revisionOf, type Versioned } from '../../controlplane/store.ts';
import { messageOf } from '../../domain/errors.ts';
import { type MoveRecord, type MoveReport, otherOf, streamPrefix } from '../../domain/move-records.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import type { MemberContext } from '../context.ts';
import { carryOutStep } from './carry-out-step.ts';
import { decideStep, type StreamSight } from './decide-step.ts';
import { type MoveFacts, pickFacts, readMoveFacts } from './move-facts.ts';
import { OwnerTransitions } from './owner-transitions.ts';
import { ReportWriter } from './report-writer.ts';
import { StreamState, type StreamTools } from './stream-state.ts';
import { wantedObjects } from './wanted-objects.ts';

/** What changes in etcd wakes a mover; these are for what changes in Postgres. Callers wait during the first. */
const SEAL_TICK_MS = 5;
const TURN_TICK_MS = 20;
const TICK_MS = 200;
/** Of phases in which nothing moves. */
const IDLE_TICK_MS = 1_000;
const BACKOFF_MS = 500;
/** A bug that decides the same for ever must not keep the report away. */
const STEPS_MAX = 12;

/** Under what this member leads. `leased`: it also holds its right, so that it may act on its Postgres. */
export interface Standing {
  readonly estate: EstateView;
  readonly authority: Versioned<AuthorityRecord>;
  readonly leased: boolean;
}

/**
 * One stream, as this member's cluster sees it: each pass compares what Postgres has with what the phase wants, makes steps, and
 * reports. It does nothing while this member doesn't lead, and ends when etcd has no such stream any more.
 */
export class StreamMover {
  readonly #context: MemberContext;
  readonly #watch: EstateWatch;
  readonly #tools: StreamTools;
  readonly #standing: () => Standing | undefined;
  readonly #key: string;
  readonly #transitions: OwnerTransitions;
  readonly #writer: ReportWriter;
  #state: StreamState;
  readonly #wake: Wake;

  constructor(options: {
    readonly context: MemberContext;
    readonly watch: EstateWatch;
    readonly key: string;
    readonly tools: StreamTools;
    readonly standing: () => Standing | undefined;
  }) {
    this.#context = options.context;
    this.#watch = options.watch;
    this.#key = options.key;
    this.#tools = options.tools;
    this.#standing = options.standing;
    this.#transitions = new OwnerTransitions(options.context);
    this.#writer = new ReportWriter(options.context);
    this.#state = new StreamState(options.tools);
    this.#wake = new Wake(options.context.clock);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { logger } = this.#context;
    let seen = this.#sightIn(this.#watch.current());
    const stop = this.#watch.onChange((view) => {
      const now = this.#sightIn(view);
      if (now === seen) return;
      seen = now;
      this.#wake.call();
    });
    try {
      while (!signal.aborted && this.#watch.current().moves.has(this.#key)) {
        this.#wake.seen();
        let restMs = BACKOFF_MS;
        try {
          restMs = await this.#pass(signal);
        } catch (error) {
          this.#writer.forget();
          logger.debug({ stream: this.#key, reason: messageOf(error) }, 'a pass over a move failed');
        }
        await this.#wake.rest(restMs, signal);
      }
    } finally {
      stop();
      await this.#tools.close();
    }
  }

  /** What a pass rests on: the stream, what the other side says of it, both authorities. */
  #sightIn({ moves, moveReports, clusters }: EstateView): string {
    const held = moves.get(this.#key);
    if (held === undefined) return '';
    const { from, to } = held.value;
    const report = moveReports.get(this.#peerKey(held.value))?.revision;
    const authorities = [from, to].map((name) => clusters.get(name)?.authority?.revision);
    return [held.revision, report, ...authorities].join(' ');
  }

  #peerKey({ operation, stream, from, to }: MoveRecord): string {
    const { keys, cluster } = this.#context;
    return keys.moveReport(operation, stream, cluster === from ? to : from);
  }

  /** How long to rest. */
  async #pass(signal: AbortSignal): Promise<number> {
    const standing = this.#standing();
    const held = standing?.estate.moves.get(this.#key);
    if (standing === undefined || held === undefined) {
      this.#stop();
      return TICK_MS;
    }
    const { cluster } = this.#context;
    const { estate, authority, leased } = standing;
    const { owner, phase } = held.value;
    const isOwner = owner === cluster;
    if (isOwner && (await this.#transitions.step({ estate, authority, held }))) return 0;
    if (!leased || (!isOwner && otherOf(held.value) !== cluster)) return TICK_MS;
    this.#state.begin(held.value);
    if (phase === 'seal' && !isOwner && !(await this.#state.mayHaveArrived(held.value, estate)))
      return SEAL_TICK_MS;

    const decided = new AbortController();
    const stop = this.#watch.onChange((view) => {
      if (isOther(view, { key: this.#key, cluster, held, authority })) decided.abort();
    });
    try {
      await this.#act(standing, held, AbortSignal.any([signal, decided.signal]));
    } finally {
      stop();
    }
    if (phase === 'seal' && !isOwner) return SEAL_TICK_MS;
    if (phase === 'seal' || phase === 'turn') return TURN_TICK_MS;
    return phase === 'copy' || phase === 'follow' || phase === 'clean' ? TICK_MS : IDLE_TICK_MS;
  }

  async #act(standing: Standing, held: Versioned<MoveRecord>, signal: AbortSignal): Promise<void> {
    const { estate, authority } = standing;
    const { cluster, logger } = this.#context;
    const { term } = authority.value;
    const record = held.value;
    const peer = believed(estate.moveReports.get(this.#peerKey(record))?.value, record);
    for (let made = 0; made < STEPS_MAX; made += 1) {
      const all = await readMoveFacts(this.#tools.admin);
      const facts = pickFacts(all, (name) => name.startsWith(streamPrefix(record)));
      const strangers = hasStrangers(all, estate, { cluster, term });
      const wanted = wantedObjects(record, cluster, term);
      const own = await this.#state.look({ record, estate, facts, wanted, peer });
      const sight: StreamSight = { record, cluster, term, facts, strangers, peer, ...own };
      const step = decideStep(sight);
      if (step.kind === 'lost') {
        await this.#transitions.step({ estate, authority, held, broken: step.reason });
        return;
      }
      const failed = step.kind !== 'rest' && !(await this.#step(step, { record, estate, term, signal }));
      const ends = step.kind === 'rest' || step.kind === 'make-slot' || failed;
      if (signal.aborted) return;
      if (!ends) continue;
      const report = await this.#state.report({ record, estate, facts, wanted, peer, strangers, term });
      const key = this.#context.keys.moveReport(record.operation, record.stream, cluster);
      const seen = revisionOf(this.#watch.current().moveReports.get(key));
      await this.#writer.write(report, { authority, held, seen });
      return;
    }
    logger.warn({ stream: this.#key, phase: record.phase }, 'a move finds no rest');
  }

  /** Whether it was carried out. */
  async #step(
    step: Parameters<typeof carryOutStep>[0],
    round: Parameters<typeof carryOutStep>[2],
  ): Promise<boolean> {
    const { context } = this.#tools;
    const { operation, stream } = round.record;
    try {
      const positions = await carryOutStep(step, this.#tools, round);
      if (positions !== undefined) this.#state.noteSealed(round.record, positions);
      this.#state.noteStep(null);
      context.logger.debug({ operation, stream, step }, 'a step of a move was made');
      return true;
    } catch (error) {
      this.#state.noteStep(messageOf(error));
      context.logger.warn({ operation, stream, step, reason: messageOf(error) }, 'a step of a move failed');
      return false;
    }
  }

  #stop(): void {
    this.#writer.forget();
    this.#tools.slots.drop();
    this.#state = new StreamState(this.#tools);
  }
}

/** What the leader of the other side said, where it is of the same attempt and leg, under the term that the leg was made for. */
function believed(report: MoveReport | undefined, record: MoveRecord): MoveReport | undefined {
  if (report?.attempt !== record.attempt || report.leg !== record.leg) return undefined;
  return report.term === record.terms?.[report.cluster] ? report : undefined;
}

function hasStrangers(
  facts: MoveFacts,
  estate: EstateView,
  { cluster, term }: { cluster: string; term: number },
): boolean {
  const wanted = new Set(
    [...estate.moves.values()].map(({ value }) => wantedObjects(value, cluster, term).subscription),
  );
  return facts.subscriptions.some(({ name }) => !wanted.has(name));
}

/** Whether what was decided on has changed: another phase or copy, or another authority. */
function isOther(
  view: EstateView,
  about: {
    readonly key: string;
    readonly cluster: string;
    readonly held: Versioned<MoveRecord>;
    readonly authority: Versioned<AuthorityRecord>;
  },
): boolean {
  const { key, cluster, held, authority } = about;
  const now = view.moves.get(key)?.value;
  const { phase, attempt } = held.value;
  return (
    now?.phase !== phase ||
    now.attempt !== attempt ||
    view.clusters.get(cluster)?.authority?.revision !== authority.revision
  );
}
