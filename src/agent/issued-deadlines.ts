import type { Clock } from '../clock/clock.ts';
import type { AgentLogger } from './logger.ts';

export interface IssuedDeadlinesPorts {
  /** Whether a lease of this run of Postgres demands followers: answers may have been promised under them. */
  readonly demandsFollowers: () => Promise<boolean>;
  /** Takes the leader's duty back. Once it returns no right is being granted or extended here, and admission is closed. */
  readonly silence: (reason: string) => Promise<void>;
  /** After a silence of this long every deadline that was ever issued is over. */
  readonly deadlinesOverAfterMs: number;
  readonly logger: AgentLogger;
  readonly clock: Clock;
}

interface Silence {
  readonly serverRun: string;
  readonly sinceMs: number;
}

/**
 * Without names every commit that waits is released as if a follower had it. So before names become empty nothing may be left
 * that was promised under others and can still be answered: the leader falls silent until each deadline that it issued is over.
 */
export class IssuedDeadlines {
  readonly #ports: IssuedDeadlinesPorts;
  /** Since when nothing has been granted here; undefined: a duty may have been assigned since. */
  #silence: Silence | undefined;

  constructor(ports: IssuedDeadlinesPorts) {
    this.#ports = ports;
  }

  /** Why names may not become empty yet; undefined: no answer is outstanding. */
  async outstanding(serverRun: string): Promise<string | undefined> {
    const { clock, logger, demandsFollowers, silence, deadlinesOverAfterMs } = this.#ports;
    if (this.#silence?.serverRun !== serverRun) {
      if (!(await demandsFollowers())) return undefined;
      logger.warn({}, 'becoming degraded: admission is closed until every issued deadline is over');
      await silence('the last synchronous follower is leaving');
      this.#silence = { serverRun, sinceMs: clock.monotonicMs() };
    }
    const leftMs = this.#silence.sinceMs + deadlinesOverAfterMs - clock.monotonicMs();
    return leftMs > 0 ? 'becoming degraded: waiting until every issued deadline is over' : undefined;
  }

  /** Whether a grant that a former agent had sent has landed since `outstanding` found nothing. */
  async landedSince(): Promise<boolean> {
    return this.#silence === undefined && (await this.#ports.demandsFollowers());
  }

  /** A duty may be assigned again from now on. */
  end(): void {
    this.#silence = undefined;
  }
}
