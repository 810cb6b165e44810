import type { ShardId } from '../domain/shard.ts';
import type { ShardLog } from '../domain/shard-log.ts';
import { CapstanError, messageOf } from '../domain/errors.ts';
import type { Wake } from '../clock/wake.ts';
import type { ClusterFigures } from './projector-record.ts';
import { eachOf } from './each-of.ts';
import { HeldShards } from './held-shards.ts';
import type { LogSource, SourcedAnswer } from './log-source.ts';
import { askedOf, judgementOf } from './log-signs.ts';
import { Pace, type PaceOptions } from './pace.ts';
import type { RebuildQueue } from './rebuild-queue.ts';
import type { Sources } from './sources.ts';
import type { Applied, ProjectionStore } from './store-port.ts';

const ENTRIES_MAX = 4_000;
/** What a person asks of a shard, and what a crash of the database took back, is seen within this time. */
const LOOK_EVERY_MS = 3_000;
const MARK_EVERY_MS = 250;
const APPLIES_AT_ONCE = 4;
const DATABASE_WAIT_MS = [250, 500, 1_000, 2_000, 5_000] as const;
const TROUBLES_TOLD = 5;
/** What a tail follows now: where, and which shards under which generation. */
export interface Work {
  readonly sources: Sources;
  readonly generations: ReadonlyMap<ShardId, number>;
}

export interface ClusterTailOptions {
  readonly cluster: string;
  /** Names the marks of this projector for this cluster. */
  readonly name: string;
  readonly store: ProjectionStore;
  readonly source: LogSource;
  readonly rebuilds: RebuildQueue;
  readonly work: () => Work | undefined;
  /** Rests between two questions; called when the work has changed. */
  readonly wake: Wake;
  readonly pace: PaceOptions;
  readonly onFound?: (shard: ShardId, found: Exclude<Applied, { kind: 'applied' }>) => void;
  /** Null: it answers again. */
  readonly onDatabase?: (why: string | null) => void;
}

type Round = Parameters<Pace['after']>[0];

/**
 * Follows the log of one cluster: asks for all its shards at once, applies what came, and says up to when nothing is missing. A shard
 * that can't be followed so is held: it is asked for elsewhere, and the others go on. What it knows of the database is only a
 * guess at where to read on: each apply finds the truth under the shard's lock.
 */
export class ClusterTail {
  readonly #options: ClusterTailOptions;
  readonly #held = new HeldShards();
  readonly #pace: Pace;
  readonly #positions = new Map<ShardId, bigint>();
  /** What was judged of a shard that lacked nothing: the same answer needs no apply. */
  readonly #judged = new Map<ShardId, string>();
  #quiet: { readonly beat: string | null; readonly member: string; readonly asked: string } | undefined;
  #lookedAt = -Infinity;
  #markedAt = -Infinity;
  #markedAs: string | null = null;
  #marked = '';
  #failures = 0;
  #database: string | null = null;
  #member: Pick<ClusterFigures, 'member' | 'kind'> = { member: null, kind: null };
  #behind = 0n;
  #applied = 0;
  #counted = { entries: 0, at: performance.now() };
  #shards = 0;

  constructor(options: ClusterTailOptions) {
    this.#options = options;
    this.#pace = new Pace(options.pace);
  }

  /** Until the signal; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { wake } = this.#options;
    while (!signal.aborted) {
      wake.seen();
      await wake.rest(await this.#turn(), signal);
    }
  }

  /** Of the time since the last call. */
  figures(): ClusterFigures {
    const seconds = Math.max(0.001, (performance.now() - this.#counted.at) / 1_000);
    const entriesPerSecond = Math.round((this.#applied - this.#counted.entries) / seconds);
    this.#counted = { entries: this.#applied, at: performance.now() };
    return {
      ...this.#member,
      shards: this.#shards,
      asOf: this.#markedAs,
      behind: String(this.#behind),
      entriesPerSecond,
      rebuilding: this.#options.rebuilds.size,
      troubles: this.#held.reasons.slice(0, TROUBLES_TOLD),
    };
  }

  get database(): string | null {
    return this.#database;
  }

  /** How long to rest. */
  async #turn(): Promise<number> {
    const work = this.#options.work();
    this.#forgetOthers(work);
    if (work === undefined || work.generations.size === 0) return this.#options.pace.idleEveryMs;
    try {
      await this.#look(work);
      const round = await this.#round(work);
      this.#failures = 0;
      this.#tell(null);
      const restMs = round === undefined ? this.#pace.afterFailure() : this.#pace.after(round);
      return Math.min(restMs, this.#held.nextInMs ?? restMs);
    } catch (error) {
      // What was being written may have happened or not: the watermarks say.
      this.#lookedAt = -Infinity;
      this.#positions.clear();
      this.#judged.clear();
      this.#marked = '';
      this.#quiet = undefined;
      this.#tell(messageOf(error));
      this.#failures += 1;
      return DATABASE_WAIT_MS[Math.min(this.#failures, DATABASE_WAIT_MS.length) - 1] ?? 0;
    }
  }

  #tell(why: string | null): void {
    if (why === this.#database) return;
    this.#database = why;
    this.#options.onDatabase?.(why);
  }

  #forgetOthers(work: Work | undefined): void {
    const shards = new Set(work?.generations.keys());
    this.#shards = shards.size;
    this.#held.keep(shards);
    for (const shard of this.#positions.keys()) {
      if (shards.has(shard)) continue;
      this.#positions.delete(shard);
      this.#judged.delete(shard);
    }
  }

  /** Where each shard stands in the database, and whether anybody asks something of it. */
  async #look({ generations }: Work): Promise<void> {
    const due = performance.now() - this.#lookedAt > LOOK_EVERY_MS;
    if (!due && [...generations.keys()].every((shard) => this.#positions.has(shard))) return;
    const found = await this.#options.store.watermarks([...generations.keys()]);
    for (const [shard, { position, state }] of found) {
      const at = BigInt(position);
      if (state !== 'live' || this.#positions.get(shard) !== at) {
        this.#judged.delete(shard);
        this.#quiet = undefined;
      }
      this.#positions.set(shard, at);
    }
    this.#lookedAt = performance.now();
  }

  async #round(work: Work): Promise<Round | undefined> {
    const { rebuilds } = this.#options;
    const usual = [...work.generations.keys()].filter(
      (shard) => !this.#held.has(shard) && !rebuilds.has(shard),
    );
    const due = this.#held.due();
    let round: Round | undefined = { entries: 0, more: false };
    if (usual.length > 0 && !(await this.#rests(work, usual))) {
      const answer = await this.#ask(work, usual);
      round = answer === undefined ? undefined : await this.#take(work, answer, usual);
    }
    for (const [tries, shards] of due) {
      const asked = shards.filter((shard) => work.generations.has(shard) && !rebuilds.has(shard));
      const answer = asked.length === 0 ? undefined : await this.#ask(work, asked, tries);
      if (answer === undefined) for (const shard of asked) this.#held.hold(shard, 'no member answers for it');
      else await this.#takeHeld(work, answer);
    }
    return round;
  }

  /**
   * Whether the leader has said nothing since the last answer, which held all that there was: then there is nothing to ask for. While
   * heads move it says so several times a second, and one shard's answer tells its last word.
   */
  async #rests(work: Work, usual: readonly ShardId[]): Promise<boolean> {
    const [first] = usual;
    if (this.#quiet === undefined || this.#quiet.asked !== askedOf(work, usual) || first === undefined)
      return false;
    const { beat, member } = this.#quiet;
    const probe = await this.#ask(work, [first]);
    return probe?.source.member === member && probe.beat === beat && probe.refused.length === 0;
  }

  #ask(work: Work, shards: readonly ShardId[], skip = 0): Promise<SourcedAnswer | undefined> {
    return this.#options.source.ask(
      work.sources,
      {
        shards: shards.map((shard) => ({
          shard,
          generation: work.generations.get(shard) ?? 0,
          after: String(this.#positions.get(shard) ?? 0n),
        })),
        entriesMax: Math.max(ENTRIES_MAX, shards.length),
      },
      skip,
    );
  }

  /** What the best member answered of all shards; it speaks for those of which nothing is left behind. */
  async #take(work: Work, answer: SourcedAnswer, asked: readonly ShardId[]): Promise<Round> {
    this.#member = { member: answer.source.member, kind: answer.source.kind };
    const whole: ShardId[] = [];
    const before = this.#applied;
    let more = false;
    let misfits = 0;
    await eachOf(answer.logs, APPLIES_AT_ONCE, async (log) => {
      const found = await this.#applyIfNeeded(answer, log);
      if (found.kind !== 'applied') {
        if (found.kind === 'behind') misfits += 1;
        return;
      }
      if (BigInt(found.position) < BigInt(log.bound)) more = true;
      else if (log.at !== null) whole.push(log.shard);
    });
    for (const { shard, reason } of answer.refused)
      this.#held.hold(shard, `${answer.source.member}: ${reason}`);
    const rests = whole.length === asked.length && this.#applied === before && answer.beat !== null;
    this.#quiet = rests
      ? { beat: answer.beat, member: answer.source.member, asked: askedOf(work, asked) }
      : undefined;
    this.#behind = answer.logs.reduce((sum, log) => sum + this.#lackOf(log), 0n);
    // Most shards are behind there, so others would do better for all.
    if (misfits * 2 > asked.length) this.#options.source.setAside(answer.source.member, 'it is behind');
    else this.#options.source.trust(answer.source.member);
    await this.#mark(answer, whole, whole.length === work.generations.size);
    return { entries: this.#applied - before, more };
  }

  async #takeHeld(work: Work, answer: SourcedAnswer): Promise<void> {
    for (const { shard, reason } of answer.refused)
      this.#held.hold(shard, `${answer.source.member}: ${reason}`);
    await eachOf(answer.logs, APPLIES_AT_ONCE, async (log) => {
      if (!work.generations.has(log.shard)) return;
      const found = await this.#applyIfNeeded(answer, log, true);
      if (found.kind === 'applied') this.#held.release(log.shard);
    });
  }

  #lackOf(log: ShardLog): bigint {
    const lack = BigInt(log.head) - (this.#positions.get(log.shard) ?? 0n);
    return lack > 0n ? lack : 0n;
  }

  async #applyIfNeeded(answer: SourcedAnswer, log: ShardLog, always = false): Promise<Applied> {
    const { shard, entries } = log;
    const judgement = judgementOf(log, log.previous);
    if (!always && entries.length === 0 && this.#judged.get(shard) === judgement) {
      return { kind: 'applied', position: String(this.#positions.get(shard) ?? 0n), entries: 0, repeats: 0 };
    }
    const found = await this.#apply(answer, log);
    if (found.kind === 'applied') {
      this.#applied += found.entries;
      this.#positions.set(shard, BigInt(found.position));
      const last = entries.find(({ position }) => position === found.position) ?? log.previous;
      this.#judged.set(shard, judgementOf(log, last));
      return found;
    }
    this.#judged.delete(shard);
    this.#options.onFound?.(shard, found);
    if (found.kind === 'forked' || found.kind === 'rebuild') this.#options.rebuilds.add(shard, found.why);
    else this.#held.hold(shard, found.kind === 'paused' ? 'paused' : `${found.kind}: ${found.why}`);
    return found;
  }

  async #apply(answer: SourcedAnswer, log: ShardLog): Promise<Applied> {
    const { cluster, name, store } = this.#options;
    try {
      return await store.apply({ cluster, log, asOf: log.at, source: name });
    } catch (error) {
      if (!(error instanceof CapstanError) || error.code !== 'projection_busy') throw error;
      return { kind: 'behind', why: `another process has it, while ${answer.source.member} was read` };
    }
  }

  async #mark(answer: SourcedAnswer, shards: readonly ShardId[], all: boolean): Promise<void> {
    const { name, cluster, store } = this.#options;
    if (!all) this.#markedAs = null;
    if (answer.at === null || performance.now() - this.#markedAt < MARK_EVERY_MS) return;
    const marks = `${answer.at} ${shards.join(' ')}`;
    if (marks === this.#marked) return;
    await store.mark({ source: name, cluster, member: answer.source.member, asOf: answer.at, shards });
    this.#markedAt = performance.now();
    this.#marked = marks;
    if (all) this.#markedAs = answer.at;
  }
}
