import type { MoveRecord } from '../../domain/move-records.ts';
import type { Refusal } from '../operation/refusal.ts';
import { goalOf, type HeldMove, readSight, type RebalanceRun, type StreamResult, tell } from './context.ts';
import { cutoverRefusals, cutoverWaits, refusedByVerification } from './gates.ts';
import { handOver } from './hand-over.ts';
import { sealIn } from './map-transactions.ts';
import { planOf } from './phases.ts';
import { interruptedWhile } from './answers.ts';
import { awaitAdopted } from './adopted.ts';
import { note, writeMove } from './write.ts';

/** Nothing is sealed yet while it is brought up to date; it may be as much as was decided since the verification. */
const REFRESH_MS = 60_000;
/** Others change the map as well; each try reads it anew, and nobody waits meanwhile. */
const SEAL_TRIES = 20;

/**
 * Hands a stream's shards over, once: brings the verification up to date, seals, waits until the other one holds all, verifies
 * the rest and flips, or backs out. Undefined: something has to be waited for again. Throws only what leaves open what was done; then the owner's agent unseals in time.
 */
export async function cutOver(run: RebalanceRun, about: MoveRecord): Promise<StreamResult | undefined> {
  const refreshed = await refresh(run, about);
  if (refreshed.kind === 'refused') return refused(refreshed.refusal);
  const budgetMs =
    goalOf(run.operation.held).pauseBudgetMs ?? planOf(run.operation.held.value).options.pauseBudgetMs;
  for (let attempt = 0; attempt < SEAL_TRIES; attempt += 1) {
    const sight = await readSight(run);
    const view = sight.streams.get(about.stream);
    if (view?.move.value.phase !== 'follow') return refused(gone(about));
    const [refusal] = cutoverRefusals({ view, ...gateInputs(run) });
    if (refusal !== undefined) return refused(refusal);
    if (cutoverWaits(view) !== undefined) return undefined;
    const id = run.clock.uuid();
    const sealSentMs = run.clock.monotonicMs();
    const sealed = await writeMove(run, {
      operation: about.operation,
      stream: about.stream,
      held: view.move,
      build: (transaction) => sealIn(transaction, run, { view, sight, id, budgetMs }),
    });
    if (sealed === undefined) continue;
    tell(run, sealed.value, { state: 'waiting', detail: 'sealed: callers wait' });
    return await sealedUntil(run, sealed, { sealSentMs, budgetMs });
  }
  return refused({
    code: 'concurrent_change',
    message: `stream ${about.stream}: the map or a cluster kept changing`,
    next: `capstan operation resume ${about.operation}`,
  });
}

async function sealedUntil(
  run: RebalanceRun,
  sealed: HeldMove,
  timing: { readonly sealSentMs: number; readonly budgetMs: number },
): Promise<StreamResult> {
  const { sealSentMs } = timing;
  const ended = await handOver(run, sealed.value, timing);
  if (ended.kind === 'backed-out') {
    const pauseMs = ended.pauseMs;
    tell(run, { ...sealed.value, phase: 'follow' }, { state: 'finished', detail: ended.why });
    return {
      result: 'backed-out',
      code: 'cutover_backed_out',
      message: ended.why,
      next: `capstan rebalance status ${sealed.value.operation}`,
      pauseMs,
    };
  }
  run.pausedSinceMs.set(sealed.value.stream, sealSentMs);
  const pauseMs = await awaitAdopted(run, ended.flipped.value, sealSentMs);
  return { result: 'reached', code: null, message: null, next: null, pauseMs };
}

type Refreshed = { readonly kind: 'fresh' } | { readonly kind: 'refused'; readonly refusal: Refusal };

/** What changed since the verification is compared while everybody still decides, so that little is left for the pause. */
async function refresh(run: RebalanceRun, about: MoveRecord): Promise<Refreshed> {
  const since = about.verification;
  if (since === null) return { kind: 'refused', refusal: gone(about) };
  const sides = await run.sides();
  const { verification, differences } = await sides
    .verifySince({
      record: about,
      since,
      sealed: false,
      deadlineMs: REFRESH_MS,
      ...(run.signal === undefined ? {} : { signal: run.signal }),
    })
    .catch((error: unknown) => {
      throw run.signal?.aborted === true ? interruptedWhile(run.operation.held.value) : error;
    });
  const noted = await note(run, about, () => ({ verification, differences, cursor: null }));
  if (noted === undefined) return { kind: 'refused', refusal: gone(about) };
  const refusal = refusedByVerification({
    view: { move: noted, owner: undefined, other: undefined, ownerSays: undefined, otherSays: undefined },
    ...gateInputs(run),
  });
  return refusal === undefined ? { kind: 'fresh' } : { kind: 'refused', refusal };
}

const gateInputs = (run: RebalanceRun) => ({
  contract: run.contract,
  verifyMaxAgeMs: planOf(run.operation.held.value).options.verifyMaxAgeMs,
  nowMs: run.clock.wallMs(),
});

const gone = ({ stream, operation }: MoveRecord): Refusal => ({
  code: 'move_leg_lost',
  message: `stream ${stream} does not follow any more`,
  next: `capstan rebalance status ${operation}`,
});

const refused = (refusal: Refusal): StreamResult => ({
  result: refusal.code === 'move_differs' ? 'differs' : 'refused',
  code: refusal.code,
  message: refusal.message,
  next: refusal.next,
  pauseMs: null,
});
