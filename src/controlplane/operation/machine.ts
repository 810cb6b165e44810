import { refusedError } from '../../domain/errors.ts';
import type { OperationRecord, OperationStatus } from '../../domain/operation-records.ts';

/**
 * - `completed`: the step's effect is in etcd, by the same transaction as this event.
 * - `differs`: what the step read contradicts what an earlier one recorded.
 * - `resumed`: another coordinator took over.
 * - `aborted`: given up, with its undoing in the same transaction.
 */
export type OperationEvent = 'completed' | 'differs' | 'resumed' | 'aborted';

/** How every kind of operation can end. */
type Ending = 'done' | 'aborted' | 'failed';

/** Every phase's answer to every event; null: it isn't accepted there. A missing pair doesn't compile. */
export type TransitionTable<P extends string> = Readonly<
  Record<P | Ending, Readonly<Record<OperationEvent, P | Ending | null>>>
>;

/** A table of phases, and what can be read from it. Pure. */
export class Machine<P extends string = string> {
  readonly transitions: TransitionTable<P>;
  /** The phase whose transaction creates the operation. */
  readonly first: P;
  readonly #urgent: ReadonlySet<string>;

  /** `urgent`: callers wait while these steps last; each is bounded, and a Ctrl-C lets it end. */
  constructor(first: P, transitions: TransitionTable<P>, urgent: readonly P[] = []) {
    this.first = first;
    this.transitions = transitions;
    this.#urgent = new Set(urgent);
  }

  isUrgent(phase: P | Ending): boolean {
    return this.#urgent.has(phase);
  }

  /** The phase after an event. Throws a plain Error (a bug) when the table doesn't accept it: ask `accepts` first. */
  advance(phase: P | Ending, event: OperationEvent): P | Ending {
    const next = this.transitions[phase][event];
    if (next === null) throw new Error(`an operation in phase ${phase} can't take the event ${event}`);
    return next;
  }

  accepts(phase: P | Ending, event: OperationEvent): boolean {
    return this.transitions[phase][event] !== null;
  }

  /** Nothing more will be done by anyone. */
  isFinal(phase: P | Ending): boolean {
    return Object.values(this.transitions[phase]).every((next) => next === null);
  }

  /** Whether the point of no return lies behind: the operation can then only go forward. */
  isDecided(phase: P | Ending): boolean {
    return !this.isFinal(phase) && !this.accepts(phase, 'aborted') && phase !== this.first;
  }

  /** The journal's status of a phase. */
  statusOf(phase: P | Ending): OperationStatus {
    return isEnding(phase) ? phase : 'running';
  }

  /** What is left to do from a phase on, by following `completed`. */
  stepsLeft(phase: P | Ending): readonly string[] {
    const left: string[] = [];
    let at: P | Ending | null = phase === 'failed' ? this.transitions.failed.resumed : phase;
    while (at !== null && !this.isFinal(at)) {
      left.push(at);
      at = this.transitions[at].completed;
    }
    return left;
  }

  /** Reads a journaled phase; undefined when it isn't one (a newer version's journal). */
  parse(text: string): P | Ending | undefined {
    return Object.hasOwn(this.transitions, text) ? (text as P | Ending) : undefined;
  }

  /** The journaled phase. A phase of a later version of Capstan is refused: `operation_phase_unknown` (exit 4). */
  phaseOf({ id, phase }: Pick<OperationRecord, 'id' | 'phase'>): P | Ending {
    const known = this.parse(phase);
    if (known !== undefined) return known;
    throw refusedError(
      `operation ${id} is in phase ${JSON.stringify(phase)}, which this version doesn't know`,
      {
        code: 'operation_phase_unknown',
        next: 'use the version of Capstan that began the operation',
        data: { operation: id },
      },
    );
  }
}

const isEnding = (phase: string): phase is Ending =>
  phase === 'done' || phase === 'aborted' || phase === 'failed';
