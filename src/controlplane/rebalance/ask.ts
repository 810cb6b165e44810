import { type Clock, nowOf } from '../../clock/clock.ts';
import { refusedError } from '../../domain/errors.ts';
import type { MoveGoal, MoveGoalKind } from '../../domain/move-records.ts';
import type { OperationRecord } from '../../domain/operation-records.ts';
import type { EtcdPort, EtcdReader } from '../../etcd/port.ts';
import { auditIn } from '../audit.ts';
import type { EstateSnapshot } from '../estate-snapshot.ts';
import { readEstateSnapshot } from '../estate-snapshot.ts';
import type { Keys } from '../keys.ts';
import type { HeldOperation, OperationJournal } from '../operation/journal.ts';
import { readOperation } from '../operation/journal.ts';
import { finishStep, newCoordinatorId, takenOver } from '../operation/record.ts';
import { audited, type Refusal } from '../operation/refusal.ts';
import { chosenStreams } from './choose.ts';
import { streamsOf } from './context.ts';
import { nextStep } from './next-step.ts';
import { planOf, REBALANCE } from './phases.ts';

const TRIES = 5;
const STEPS_MAX = 60;

export interface AskOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly journal: OperationJournal;
  readonly id: string;
  readonly actor: string;
  readonly goal: MoveGoalKind;
  /** Undefined: all of its streams. */
  readonly shards?: readonly number[] | undefined;
  readonly pauseBudgetMs?: number | undefined;
  readonly reason?: string | undefined;
}

export type Asked =
  | { readonly kind: 'taken-over'; readonly held: HeldOperation; readonly estate: EstateSnapshot }
  /** Every stream is as it was asked for. */
  | { readonly kind: 'so'; readonly operation: OperationRecord };

/**
 * Puts a goal into the journal and takes the operation over for it; whoever drove it is refused at the next write. Throws
 * `rebalance_not_found`, `operation_finished`, `shard_not_moving`, `shards_move_together`, and what stands against the goal (exit 4):
 * then nothing is changed.
 */
export async function askFor(options: AskOptions): Promise<Asked> {
  const { etcd, keys, journal, id, goal } = options;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const held = await readRebalance(options);
    if (hasEndedSo(held.value, goal)) return { kind: 'so', operation: held.value };
    const estate = await readEstateSnapshot(etcd, keys);
    const streams = await wanting(options, held.value, estate);
    const nobody = streams.length === 0 && !endsWith(options, held.value, estate);
    if (nobody) return { kind: 'so', operation: held.value };
    const next = askedRecord(options, held.value, streams);
    const written = await journal.write({
      held,
      next,
      with: (transaction) => {
        const entry = {
          actor: options.actor,
          action: `rebalance.${goal}`,
          target: held.value.cluster,
          operation: id,
          planHash: held.value.planHash,
          before: { phase: held.value.phase, coordinator: held.value.coordinator.id },
          after: { phase: next.phase, coordinator: next.coordinator.id, streams },
          reason: options.reason ?? null,
        };
        auditIn(transaction, keys, entry, options.clock);
      },
    });
    if (written.kind === 'written') return { kind: 'taken-over', held: written.held, estate };
    if (written.kind === 'superseded' && written.inDoubt) break;
  }
  throw refusedError(`operation ${id} is being changed by somebody else`, {
    code: 'operation_superseded',
    next: `capstan operation show ${id}`,
    data: { operation: id },
  });
}

/** Throws `operation_not_found`, or `rebalance_not_found` where it is something else (exit 4). */
export async function readRebalance(
  options: Pick<AskOptions, 'keys' | 'id'> & { readonly etcd: EtcdReader },
): Promise<HeldOperation> {
  const held = await readOperation(options);
  if (held.value.kind === 'rebalance') return held;
  throw refusedError(`operation ${options.id} is a ${held.value.kind}, not a rebalance`, {
    code: 'rebalance_not_found',
    next: 'capstan operation list',
  });
}

/** Throws `operation_finished` where it has ended in another way. */
function hasEndedSo(record: OperationRecord, goal: MoveGoalKind): boolean {
  const phase = REBALANCE.phaseOf(record);
  if (!REBALANCE.isFinal(phase)) return false;
  const moved = record.outcomes?.some(({ outcome }) => outcome === 'moved') === true;
  if (
    goal === 'complete' ||
    (goal === 'cancel' && !moved) ||
    (goal === 'cutover' && phase === 'done' && moved)
  )
    return true;
  throw refusedError(`rebalance ${record.id} is ${phase} already`, {
    code: 'operation_finished',
    next: `capstan operation show ${record.id}`,
    data: { operation: record.id, phase },
  });
}

/** The streams that aren't so yet. What can't be, is refused for all of them: callers asked for them together. */
async function wanting(
  options: AskOptions,
  record: OperationRecord,
  estate: EstateSnapshot,
): Promise<readonly number[]> {
  const { keys, clock, goal, id } = options;
  const views = streamsOf({ keys }, estate, id);
  const plan = planOf(record);
  const chosen = chosenStreams({ id, plan, outcomes: record.outcomes ?? [], shards: options.shards });
  const wanted: number[] = [];
  for (const stream of chosen) {
    const view = views.get(stream);
    if (view === undefined) {
      // Planned and not begun: only a copy begins it.
      if (goal === 'copy') wanted.push(stream);
      else if (goal !== 'complete' && goal !== 'cancel')
        throw await refuse(options, record, early(id, stream));
      continue;
    }
    const { phase } = view.move.value;
    if (phase === 'seal' || phase === 'turn') {
      wanted.push(stream);
      continue;
    }
    const step = nextStep({
      view,
      goal: { kind: goal, askedAtMs: clock.wallMs() },
      contract: estate.contract.value,
      ...plan.options,
      compared: false,
      copies: new Map(),
      nowMs: clock.wallMs(),
    });
    // What was found different is compared once more.
    if (step.kind === 'refused' && !(goal === 'copy' && step.refusal.code === 'move_differs'))
      throw await refuse(options, record, step.refusal);
    if (step.kind !== 'so') wanted.push(stream);
  }
  return wanted;
}

/** Whether nothing is left that a stream could be asked for, and the operation itself is to end. */
const endsWith = (
  { keys, goal, id, shards }: AskOptions,
  record: OperationRecord,
  estate: EstateSnapshot,
): boolean =>
  (goal === 'complete' || goal === 'cancel') &&
  shards === undefined &&
  streamsOf({ keys }, estate, id).size === 0 &&
  !REBALANCE.isFinal(REBALANCE.phaseOf(record));

/** A rebalance may stand for months and be verified each day: the journal keeps its begin and the latest goals. */
const latest = (steps: OperationRecord['steps']): OperationRecord['steps'] =>
  steps.length <= STEPS_MAX ? steps : [...steps.slice(0, 1), ...steps.slice(1 - STEPS_MAX)];

function askedRecord(
  {
    clock,
    actor,
    goal: kind,
    pauseBudgetMs = null,
  }: Omit<AskOptions, 'pauseBudgetMs'> & {
    readonly pauseBudgetMs?: number | null | undefined;
  },
  record: OperationRecord,
  streams: readonly number[],
): OperationRecord {
  const now = nowOf(clock);
  const goal: MoveGoal = { kind, streams, pauseBudgetMs, askedBy: actor, askedAt: now.toISOString() };
  const kept = { ...record, steps: latest(record.steps) };
  const asked = finishStep({ record: kept, result: { asked: kind }, phase: kind, status: 'running', now });
  return { ...takenOver({ record: asked, phase: kind, coordinatorId: newCoordinatorId(clock), now }), goal };
}

function refuse(
  { etcd, keys, actor, clock, goal, id }: AskOptions,
  record: OperationRecord,
  refusal: Refusal,
) {
  const action = `rebalance.${goal}`;
  const stands = { operation: id, phase: record.phase };
  const plan = { hash: record.planHash };
  return audited({ etcd, keys, actor, clock, action, target: record.cluster, stands, plan }, refusal);
}

const early = (id: string, stream: number): Refusal => ({
  code: 'move_not_following',
  message: `stream ${stream} is not begun yet`,
  next: `capstan operation resume ${id}`,
});
