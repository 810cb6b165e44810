import type { CompletionLine, HistoryEntry, HistoryRecorder } from './history/types.ts';

export interface Scale {
  /** Requests sent. */
  readonly operations: number;
  /** Planned requests that found every process of their region busy, and were not sent. */
  readonly leftOut: number;
  /** Decisions, each token counted once, of reserves, releases and limit changes. */
  readonly confirmed: number;
  readonly rejected: number;
  /** Commands whose answer left their outcome open. */
  readonly unknown: number;
  /** Rejected reserves of all decided reserves; null when none was decided. */
  readonly shareRejected: number | null;
  readonly faultsInjected: number;
  /** Could not be injected, or had nothing to be injected into, or could not be healed. */
  readonly faultsFailed: number;
}

const DECIDED: ReadonlySet<string> = new Set(['confirmed', 'rejected']);
const COMMANDS: ReadonlySet<string> = new Set(['reserve', 'release', 'set-limit', 'correct', 'settle']);

/** Counts what passes through a recorder, and remembers whose outcome is open. */
export class Tally implements HistoryRecorder {
  readonly #into: HistoryRecorder;
  readonly #open = new Map<string, { readonly issuer: string; readonly token: string }>();
  readonly #decided = new Map<string, { readonly outcome: string; readonly reserve: boolean }>();
  #operations = 0;
  #leftOut = 0;
  #unknown = 0;
  #faultsInjected = 0;
  #faultsFailed = 0;

  constructor(into: HistoryRecorder) {
    this.#into = into;
  }

  now(): number {
    return this.#into.now();
  }

  record(entry: HistoryEntry): void {
    this.#into.record(entry);
    if (entry.kind === 'invoke') this.#operations += 1;
    else if (entry.kind === 'ok' || entry.kind === 'fail' || entry.kind === 'info') this.#completed(entry);
    else if (entry.kind === 'fault') {
      if (entry.phase === 'began') this.#faultsInjected += 1;
      else if (entry.phase === 'failed') this.#faultsFailed += 1;
    }
  }

  /** Every token that some request left open and none has settled since. */
  get openTokens(): readonly { readonly issuer: string; readonly token: string }[] {
    return [...this.#open.values()];
  }

  /** Requests of the plan that were not sent. */
  leaveOut(count: number): void {
    this.#leftOut += count;
  }

  /** So far. */
  get scale(): Scale {
    const decided = [...this.#decided.values()];
    const count = (outcome: string, of = decided) => of.filter((one) => one.outcome === outcome).length;
    const reserves = decided.filter(({ reserve }) => reserve);
    return {
      operations: this.#operations,
      leftOut: this.#leftOut,
      confirmed: count('confirmed'),
      rejected: count('rejected'),
      unknown: this.#unknown,
      shareRejected: reserves.length === 0 ? null : count('rejected', reserves) / reserves.length,
      faultsInjected: this.#faultsInjected,
      faultsFailed: this.#faultsFailed,
    };
  }

  #completed({ kind, action, issuer, token, result }: Omit<CompletionLine, 'i' | 't'>): void {
    if (token === null) return;
    if (kind === 'info' && COMMANDS.has(action)) this.#unknown += 1;
    const key = `${issuer} ${token}`;
    const outcome = result !== null && 'outcome' in result ? result.outcome : null;
    // What isn't found yet may still be under way.
    if (kind === 'ok' && outcome !== 'not_found') this.#open.delete(key);
    else if (kind === 'info' && COMMANDS.has(action)) this.#open.set(key, { issuer, token });
    if (kind === 'ok' && outcome !== null && DECIDED.has(outcome) && action !== 'resolve') {
      if (!this.#decided.has(key)) this.#decided.set(key, { outcome, reserve: action === 'reserve' });
    }
  }
}
