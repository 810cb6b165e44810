import { CapstanError, messageOf } from '../../domain/errors.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import type { MoveRecord } from '../../domain/move-records.ts';
import { type HeldMove, readSight, type RebalanceRun, type Sight, tell } from './context.ts';
import { judgeSeal, type SealJudgement } from './judge-seal.ts';
import { flipIn } from './map-transactions.ts';
import type { StreamView } from './stream-view.ts';
import { backOutIn } from './unseal.ts';
import { writeMove } from './write.ts';

const LOOK_MS = 50;
/** How long a seal is tried to be undone before it is left to the owner's agent, which does so by itself. */
const BACK_OUT_MS = 10_000;

export type Handed =
  | { readonly kind: 'flipped'; readonly flipped: HeldMove }
  | { readonly kind: 'backed-out'; readonly why: string; readonly pauseMs: number | null };

interface Timing {
  readonly sealSentMs: number;
  readonly budgetMs: number;
}

type Looked =
  | { readonly kind: 'flipped'; readonly flipped: HeldMove }
  | { readonly kind: 'again'; readonly for: string | undefined }
  | { readonly kind: 'off'; readonly why: string }
  /** Whoever ended this seal was first. */
  | { readonly kind: 'ended'; readonly why: string };

/** From the seal to the flip, or back. Callers wait: no Ctrl-C ends it, and the budget does. */
export async function handOver(run: RebalanceRun, sealed: MoveRecord, timing: Timing): Promise<Handed> {
  const { clock } = run;
  const leftMs = () => timing.budgetMs - (clock.monotonicMs() - timing.sealSentMs);
  const verified = { once: false };
  let waitedFor = 'the shards to be sealed';
  while (leftMs() > 0) {
    const looked = await look(run, sealed, { leftMs, verified }).catch(whenUnreachable);
    if (looked.kind === 'flipped') return looked;
    if (looked.kind === 'ended') return { kind: 'backed-out', why: looked.why, pauseMs: null };
    if (looked.kind === 'off') return backOut(run, sealed, { ...timing, why: looked.why });
    if (looked.for === undefined) continue;
    if (looked.for !== waitedFor)
      tell(run, sealed, { state: 'waiting', detail: `waiting for ${looked.for}` });
    waitedFor = looked.for;
    const pauseMs = Math.min(LOOK_MS, Math.max(0, leftMs()));
    await (run.pause === undefined ? clock.sleep(pauseMs) : run.pause(pauseMs, undefined));
  }
  const why = `it waited for ${waitedFor}, in vain for ${formatDurationMs(timing.budgetMs)}`;
  return backOut(run, sealed, { ...timing, why });
}

async function look(
  run: RebalanceRun,
  sealed: MoveRecord,
  about: { readonly leftMs: () => number; readonly verified: { once: boolean } },
): Promise<Looked> {
  const { leftMs, verified } = about;
  const sight = await readSight(run);
  const view = sight.streams.get(sealed.stream);
  if (view !== undefined && view.move.value.leg > sealed.leg) return { kind: 'flipped', flipped: view.move };
  const ended = endedBy(view, sealed);
  if (view === undefined || ended !== undefined) return { kind: 'ended', why: ended ?? 'the stream is gone' };
  const judged = judgeSeal(view, sealed.seal?.id ?? '');
  if (judged.kind === 'waiting') return { kind: 'again', for: judged.for };
  if (judged.kind === 'differs') return { kind: 'off', why: judged.why };
  if (!verified.once) {
    const why = await verifyTheRest(run, view.move.value, judged, Math.max(0, leftMs()));
    if (why !== undefined) return { kind: 'off', why };
    verified.once = true;
  }
  if (leftMs() <= 0) return { kind: 'again', for: undefined };
  const flipped = await writeMove(run, {
    operation: sealed.operation,
    stream: sealed.stream,
    held: view.move,
    build: (transaction) => flipIn(transaction, run, { view, sight, held: judged }),
  });
  return flipped === undefined ? { kind: 'again', for: undefined } : { kind: 'flipped', flipped };
}

/** Nothing was written: it is looked at again as long as callers may be made to wait. */
function whenUnreachable(error: unknown): Looked {
  if (error instanceof CapstanError && error.code === 'etcd_unreachable')
    return { kind: 'again', for: 'etcd to answer' };
  throw error;
}

/** Why this seal isn't in force any more; undefined: it is. */
function endedBy(view: StreamView | undefined, { seal }: MoveRecord): string | undefined {
  const record = view?.move.value;
  if (record?.phase === 'seal' && record.seal?.id === seal?.id) return undefined;
  return record?.error?.message ?? `it is in phase ${record?.phase ?? 'none'} by now`;
}

/** Compares what was decided since the last comparison, at the positions where both sides stand now. */
async function verifyTheRest(
  run: RebalanceRun,
  record: MoveRecord,
  { positions }: SealJudgement & { kind: 'held' },
  deadlineMs: number,
): Promise<string | undefined> {
  const since = record.verification;
  if (since === null) return 'the rows of both sides were not compared';
  try {
    const sides = await run.sides();
    const { verification, differences } = await withinMs(run, deadlineMs, (signal) =>
      sides.verifySince({ record, since, sealed: true, deadlineMs, signal }),
    );
    if (differences.length > 0) return `both sides differ in ${differences.length} places at the seal`;
    const apart = record.shards.find((shard) => verification.positions[shard] !== positions[shard]);
    return apart === undefined
      ? undefined
      : `shard ${apart} was verified at ${verification.positions[apart] ?? 'no position'} and sealed at ${positions[apart]}`;
  } catch (error) {
    return `the rest could not be verified: ${messageOf(error)}`;
  }
}

/** The budget holds whether or not what it is spent on keeps to its deadline. */
async function withinMs<T>(
  { clock }: RebalanceRun,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = clock.after(ms, () => {
    over.abort();
    reject(new Error(`it took longer than ${formatDurationMs(Math.round(ms))}`));
  });
  try {
    return await Promise.race([work(over.signal), promise]);
  } finally {
    cancel();
  }
}

async function backOut(
  run: RebalanceRun,
  sealed: MoveRecord,
  { why, sealSentMs }: Timing & { readonly why: string },
): Promise<Handed> {
  const { clock } = run;
  const begun = clock.monotonicMs();
  for (;;) {
    try {
      const sight = await readSight(run);
      const view = sight.streams.get(sealed.stream);
      if (view !== undefined && view.move.value.leg > sealed.leg)
        return { kind: 'flipped', flipped: view.move };
      if (view === undefined || endedBy(view, sealed) !== undefined)
        return { kind: 'backed-out', why, pauseMs: null };
      if ((await backOutOnce(run, view, sight, why)) !== undefined)
        return { kind: 'backed-out', why, pauseMs: Math.round(clock.monotonicMs() - sealSentMs) };
    } catch (error) {
      const silent = error instanceof CapstanError && error.code === 'etcd_unreachable';
      if (!silent || clock.monotonicMs() - begun > BACK_OUT_MS) throw error;
      await clock.sleep(LOOK_MS);
    }
  }
}

function backOutOnce(
  run: RebalanceRun,
  { move }: StreamView,
  { estate }: Sight,
  why: string,
): Promise<HeldMove | undefined> {
  const { keys, clock, actor } = run;
  const { operation, stream } = move.value;
  const error = { code: 'cutover_backed_out', message: why };
  return writeMove(run, {
    operation,
    stream,
    held: move,
    build: (transaction) => backOutIn(transaction, { keys, clock, actor, held: move, sight: estate, error }),
  });
}
