import type { Contract } from '../../domain/contract.ts';
import { assertNever } from '../../domain/errors.ts';
import { type MoveGoalKind, otherOf } from '../../domain/move-records.ts';
import type { Refusal } from '../operation/refusal.ts';
import { clusterRefusal, cutoverRefusals, cutoverWaits, problemIn, refusedByVerification } from './gates.ts';
import { type GoalVerdict, goalVerdict } from './goal-table.ts';
import { legLost, type StreamView, termsOf } from './stream-view.ts';
import type { MoveEvent, MovePatch } from './transitions.ts';

export interface StepInputs {
  readonly view: StreamView;
  /** Null: the stream isn't meant; it is only kept up. */
  readonly goal: { readonly kind: MoveGoalKind; readonly askedAtMs: number } | null;
  readonly contract: Contract;
  readonly verifyMaxAgeMs: number;
  /** Compared in full by this coordinator, since the goal was asked for: whatever its time says, it isn't asked for again. */
  readonly compared: boolean;
  /** By cluster: copies that are under way, into it or out of it. */
  readonly copies: ReadonlyMap<string, number>;
  readonly concurrentCopiesMax: number;
  /** Wall clock. */
  readonly nowMs: number;
}

export type NextStep =
  /** As it was asked for, or nothing was. */
  | { readonly kind: 'so' }
  /** For people: what comes by itself. */
  | { readonly kind: 'wait'; readonly for: string }
  | {
      readonly kind: 'transition';
      readonly event: MoveEvent;
      readonly patch: MovePatch;
      readonly why: string;
    }
  | { readonly kind: 'verify' }
  | { readonly kind: 'cutover' }
  /** A seal that was found, and that nobody here set: whoever did is gone. */
  | { readonly kind: 'unseal' }
  /** Nothing of it is left: it ends. */
  | { readonly kind: 'end' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Close enough to say that it follows; a cutover asks for less. */
const READY_LAG_BYTES_MAX = 16n * 1_048_576n;

const wait = (what: string): NextStep => ({ kind: 'wait', for: what });
const move = (event: MoveEvent, why: string, patch: MovePatch = {}): NextStep => ({
  kind: 'transition',
  event,
  patch,
  why,
});

/** What a coordinator does with a stream now. Pure: SPEC.md has the phases, `goal-table.ts` what a goal makes of each. */
export function nextStep(inputs: StepInputs): NextStep {
  const kept = keptUp(inputs.view);
  if (kept !== undefined && kept.kind !== 'wait') return kept;
  const { goal, view } = inputs;
  if (goal === null) return { kind: 'so' };
  const verdict = goalVerdict(view.move.value, goal.kind);
  return verdict === 'wait' ? (kept ?? wait('what is under way')) : carriedOut(verdict, inputs, goal);
}

/** What a phase asks for whatever the goal is; a wait says what the phase is waiting for. */
function keptUp(view: StreamView): NextStep | undefined {
  const { phase } = view.move.value;
  switch (phase) {
    case 'queued':
    case 'parted':
      return undefined;
    case 'copy':
      return lostIn(view) ?? readyIn(view);
    case 'follow':
      return lostIn(view);
    case 'seal':
      return { kind: 'unseal' };
    case 'turn':
      return lostIn(view) ?? turnedIn(view);
    case 'clean':
      return cleanedIn(view);
    case 'done':
      return { kind: 'end' };
    default:
      return assertNever(phase);
  }
}

function lostIn(view: StreamView): NextStep | undefined {
  const why = legLost(view);
  const terms = termsOf(view);
  if (why === undefined || terms === undefined) return undefined;
  return move('lost', why, { terms, error: { code: 'move_leg_lost', message: why } });
}

function readyIn(view: StreamView): NextStep {
  const { value: record } = view.move;
  const { ownerSays, otherSays } = view;
  const other = otherOf(record);
  if (record.paused) return wait('a person, who paused it');
  if (ownerSays === undefined) return wait(`the leader of ${record.owner} to offer its rows`);
  const { slot, problem } = ownerSays.value;
  if (slot === 'absent') return wait(`${record.owner} to make its slot${problemIn(problem)}`);
  if (otherSays === undefined) return wait(`the leader of ${other} to begin`);
  const says = otherSays.value;
  if (says.problem !== null) return wait(`${other}: ${says.problem}`);
  if (!says.wiped) return wait(`${other} to drop what it had of these shards`);
  if (says.yielding !== null) return wait(`${other}, which yields: ${says.yielding}`);
  const { total, ready } = says.tables;
  if (!says.following) return wait(`the copy: ${ready} of ${total} tables, ${says.rowsCopied ?? '?'} rows`);
  if (says.lagBytes === null || BigInt(says.lagBytes) > READY_LAG_BYTES_MAX)
    return wait(`${other} to catch up, ${says.lagBytes ?? 'unknown'} bytes behind`);
  if (says.wayBack.slot !== 'made' && says.wayBack.slot !== 'active')
    return wait(`the way back's slot on ${other}${problemIn(says.wayBack.waitingFor)}`);
  return move('ready', `${other} follows`, { error: null });
}

function turnedIn(view: StreamView): NextStep {
  const { value: record } = view.move;
  const { ownerSays, otherSays } = view;
  if (ownerSays === undefined) return wait(`the leader of ${record.owner} to take them over`);
  if (!ownerSays.value.turned)
    return wait(`${record.owner} to turn the replication round${problemIn(ownerSays.value.problem)}`);
  if (otherSays?.value.following !== true)
    return wait(`${otherOf(record)} to follow the new owner${problemIn(otherSays?.value.problem ?? null)}`);
  return move('turned', `${otherOf(record)} follows ${record.owner}`);
}

function cleanedIn(view: StreamView): NextStep {
  const unclean = [
    [view.move.value.owner, view.ownerSays] as const,
    [otherOf(view.move.value), view.otherSays] as const,
  ].find(([, says]) => says?.value.phase !== 'clean' || !says.value.clean);
  if (unclean === undefined) return { kind: 'end' };
  const [cluster, says] = unclean;
  return wait(`${cluster} to drop what is left${problemIn(says?.value.problem ?? null)}`);
}

function carriedOut(
  verdict: Exclude<GoalVerdict, 'wait'>,
  inputs: StepInputs,
  goal: NonNullable<StepInputs['goal']>,
): NextStep {
  const { view } = inputs;
  const { value: record } = view.move;
  const { operation, stream, verification, differences } = record;
  switch (verdict) {
    case 'so':
      return { kind: 'so' };
    case 'begin':
    case 'recopy':
      return copied(verdict, inputs);
    case 'clean':
      return unheld(view) ?? move('clean', `asked for: ${goal.kind}`, { error: null });
    case 'verified':
    case 'verify': {
      const since =
        verification !== null && (inputs.compared || Date.parse(verification.at) >= goal.askedAtMs);
      const done = verdict === 'verified' && differences.length === 0 ? verification !== null : since;
      if (!done) return record.paused ? wait('a person, who paused it') : { kind: 'verify' };
      const refusal = differences.length > 0 ? refusedByVerification(inputs) : undefined;
      return refusal === undefined ? { kind: 'so' } : { kind: 'refused', refusal };
    }
    case 'cutover':
    case 'verify-cutover':
      return cutOver(inputs, verdict === 'verify-cutover');
    case 'early':
      return refused(
        'move_not_following',
        `stream ${stream} is in phase ${record.phase}: ${otherOf(record)} does not follow yet`,
        `capstan operation resume ${operation}`,
      );
    case 'decided':
      return refused(
        'operation_past_no_return',
        `stream ${stream} was handed over to ${record.owner}`,
        `capstan rebalance reverse ${operation}, or capstan rebalance complete ${operation}`,
      );
    case 'ending':
      return refused(
        'move_ending',
        `stream ${stream} is being ended`,
        `capstan rebalance status ${operation}`,
      );
    default:
      return assertNever(verdict);
  }
}

function cutOver(inputs: StepInputs, verifies: boolean): NextStep {
  const refusals = cutoverRefusals(inputs);
  const [first] = refusals;
  const onlyUnverified =
    verifies && !inputs.compared && refusals.length === 1 && first?.code.startsWith('verification_') === true
      ? first
      : undefined;
  if (onlyUnverified !== undefined) return { kind: 'verify' };
  if (first !== undefined) return { kind: 'refused', refusal: first };
  const awaited = cutoverWaits(inputs.view);
  return awaited === undefined ? { kind: 'cutover' } : wait(awaited);
}

/**
 * After a flip the other one's rows are dropped only once the owner's present leader has said, under its term, that it holds them:
 * it may be closed because it lacks the handover position, and then they are the last ones.
 */
function unheld({ move: { value }, ownerSays }: StreamView): NextStep | undefined {
  if (value.leg === 0 || (ownerSays !== undefined && ownerSays.value.problem === null)) return undefined;
  return wait(
    `the leader of ${value.owner} to say that it holds them${problemIn(ownerSays?.value.problem ?? null)}`,
  );
}

function copied(event: 'begin' | 'recopy', inputs: StepInputs): NextStep {
  const { view, copies, concurrentCopiesMax } = inputs;
  const { from, to, paused } = view.move.value;
  if (paused) return wait('a person, who paused it');
  const held = unheld(view);
  if (held !== undefined) return held;
  const [owner, other] = [view.owner, view.other];
  for (const name of [from, to]) {
    const found = clusterRefusal(name, owner?.name === name ? owner : other, inputs);
    if (found !== undefined) return wait(found.message);
    if ((copies.get(name) ?? 0) >= concurrentCopiesMax)
      return wait(`other copies: ${concurrentCopiesMax} at once of a cluster`);
  }
  const terms = termsOf(view);
  return terms === undefined
    ? wait('both clusters to have a term')
    : move(event, 'the copy begins', { terms, error: null });
}

const refused = (code: string, message: string, next: string): NextStep => ({
  kind: 'refused',
  refusal: { code, message, next },
});
