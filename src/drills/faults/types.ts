import type { SandboxPaths } from '../../sandbox/folders.ts';
import type { SandboxEnvironment } from '../../sandbox/environment.ts';
import type { SandboxState } from '../../sandbox/state.ts';
import type { HistoryRecorder } from '../history/types.ts';

/** The sandbox that a drill runs on: real processes, reached as its own control commands reach them. */
export interface Ground {
  readonly paths: SandboxPaths;
  readonly state: SandboxState;
  readonly environment: SandboxEnvironment;
  readonly recorder: HistoryRecorder;
  /** Desks' requests go through this, so that replies can be dropped and connections left half open. */
  readonly desks: DeskSwitch;
  /** The run's own, whose limits are set: a fault that sends requests itself uses one of them. None: it makes its own. */
  readonly issuers?: readonly string[] | undefined;
  /** Aborted when the run is over or was interrupted; injecting stops, healing doesn't. */
  readonly signal: AbortSignal;
}

/** What happens to the desks' own connections to the gateway of a region. */
export interface DeskSwitch {
  /** `pass`; `drop-replies`: requests are delivered, answers are not; `half-open`: accepted, never answered, never closed. */
  set(region: string, mode: 'pass' | 'drop-replies' | 'half-open'): void;
}

/** Where, when and how, drawn from the seed alone before anything is touched. */
export interface PlannedFault {
  readonly fault: string;
  /** Milliseconds from the start of the load; of faults in turn, from the end of the one before. */
  readonly atMs: number;
  readonly holdMs: number;
  /** Which of several candidates and variants: uniform in [0, 1). */
  readonly draw: number;
}

/** In force. `heal` undoes it, may be called twice, and throws what it could not undo. */
export interface InForce {
  readonly target: string;
  readonly detail: Readonly<Record<string, unknown>>;
  heal(): Promise<void>;
}

/** One thing that goes wrong. It states what it does to whom in one line, for `drill list`. */
export interface Fault {
  readonly name: string;
  readonly summary: string;
  /** The least that it has to last to mean anything (a pause past the lease), and the most. */
  readonly holdMs: { readonly min: number; readonly max: number };
  /** Resolves once it is in force; throws when there was nothing to inject it into (that is recorded, and no failure). */
  inject(ground: Ground, planned: PlannedFault): Promise<InForce>;
}
