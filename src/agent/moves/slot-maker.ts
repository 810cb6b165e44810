import { messageOf } from '../../domain/errors.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import type { AgentLogger } from '../logger.ts';
import type { Session } from '../local-session.ts';
import { BLOCKERS } from './statements.ts';

/** Making a slot ends when the transactions that were open at its beginning do; there is no other bound. */
export const SLOT_TIMEOUT_MS = 24 * 3_600_000;

/**
 * Makes logical slots, each in a session of its own, and nothing waits for it: a slot stands only once every transaction that was
 * open when it was begun has ended. (Postgres docs, "Logical Decoding Concepts".)
 */
export class SlotMaker {
  readonly #open: () => Session;
  readonly #logger: AgentLogger;
  readonly #underWay = new Map<string, Session>();
  #problem: string | null = null;

  constructor(open: () => Session, logger: AgentLogger) {
    this.#open = open;
    this.#logger = logger;
  }

  /** What made the last try fail. */
  get problem(): string | null {
    return this.#problem;
  }

  begin(name: string): void {
    if (this.#underWay.has(name)) return;
    const session = this.#open();
    this.#underWay.set(name, session);
    void this.#make(name, session);
  }

  /** Lets go of what is under way; the slot that isn't made yet goes with its backend. */
  drop(): void {
    for (const session of this.#underWay.values()) session.drop();
    this.#underWay.clear();
  }

  async #make(name: string, session: Session): Promise<void> {
    try {
      await session.query('set statement_timeout = 0');
      await session.query('set lock_timeout = 0');
      await session.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [name]);
      this.#problem = null;
    } catch (error) {
      this.#problem = `slot ${name} could not be made: ${messageOf(error)}`;
      this.#logger.debug({ name, reason: messageOf(error) }, 'a slot was not made');
    } finally {
      if (this.#underWay.get(name) === session) this.#underWay.delete(name);
      await session.close();
    }
  }
}

/** Who holds the making of a slot up, in words; null: nobody, or it isn't being made. */
export async function slotWaitsFor(session: Session, backend: number): Promise<string | null> {
  const rows = await session.query<{ pid: number; seconds: number }>(BLOCKERS, [backend]);
  if (rows.length === 0) return null;
  const named = rows.map(
    ({ pid, seconds }) => `pid ${pid} (${formatDurationMs(Math.floor(seconds) * 1_000)} old)`,
  );
  return `open transactions: ${named.join(', ')}`;
}
