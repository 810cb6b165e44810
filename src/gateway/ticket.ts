/** How far a command has come, as far as this gateway knows. */
export type Progress = 'waiting' | 'sent';

interface TicketOptions<C, A> {
  readonly command: C;
  /** Monotonic milliseconds (`performance.now()`). */
  readonly deadlineAt: number;
  readonly timeLeftMs: number;
  /** The answer when the deadline passes, unless a refusal that it was held back for says more. */
  readonly onDeadline: (progress: Progress) => A;
}

/** One caller's command and its single answer. Whatever else happens, it is answered at its deadline. */
export class Ticket<C, A> {
  readonly command: C;
  readonly deadlineAt: number;
  readonly answer: Promise<A>;
  readonly #timer: NodeJS.Timeout;
  readonly #onDeadline: (progress: Progress) => A;
  #resolve: ((answer: A) => void) | undefined;
  #progress: Progress = 'waiting';
  #heldBackBy: A | undefined;

  constructor(options: TicketOptions<C, A>) {
    this.command = options.command;
    this.#onDeadline = options.onDeadline;
    this.deadlineAt = options.deadlineAt;
    this.answer = new Promise<A>((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = setTimeout(() => this.expire(), options.timeLeftMs);
  }

  get settled(): boolean {
    return this.#resolve === undefined;
  }

  get progress(): Progress {
    return this.#progress;
  }

  markSent(): void {
    this.#progress = 'sent';
    this.#heldBackBy = undefined;
  }

  /** For a command that was not sent, or provably had no effect: it waits, and `because` is its answer at the deadline. */
  markUnsent(because?: A): void {
    this.#progress = 'waiting';
    this.#heldBackBy = because;
  }

  /** Answers as at the deadline, now. */
  expire(): void {
    if (!this.settled) this.settle(this.#heldBackBy ?? this.#onDeadline(this.#progress));
  }

  /** The first answer counts; later ones are dropped. */
  settle(answer: A): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#resolve = undefined;
    clearTimeout(this.#timer);
    resolve(answer);
  }
}
