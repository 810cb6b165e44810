import type { Walsender } from './sync-set.ts';

/** Answers that a connection must have given since it was first seen beside another of its name. */
const ANSWERS = 2;

interface Connection {
  mark: string;
  answers: number;
}

/**
 * Notices two live connections under one follower's name. Postgres counts both, and one of them isn't the follower. A
 * connection that was replaced and isn't noticed as dead yet gives no more answers, so both must have given some since they
 * were first seen together.
 */
export class DoubledNames {
  readonly #names = new Map<string, Map<string, Connection>>();

  /** The doubled names, from one look at the walsenders and those before. */
  look(walsenders: readonly Walsender[]): readonly string[] {
    const byName = Map.groupBy(walsenders, ({ name }) => name);
    for (const name of this.#names.keys()) if ((byName.get(name)?.length ?? 0) < 2) this.#names.delete(name);
    return [...byName].flatMap(([name, rows]) =>
      rows.length > 1 && this.#isDoubled(name, rows) ? [name] : [],
    );
  }

  #isDoubled(name: string, rows: readonly Walsender[]): boolean {
    const before = this.#names.get(name);
    const now = new Map<string, Connection>();
    for (const { replyMark } of rows) {
      if (replyMark === null) continue;
      const pid = replyMark.slice(0, replyMark.indexOf('/'));
      const known = before?.get(pid);
      const answers = known === undefined ? 0 : known.answers + Number(known.mark !== replyMark);
      now.set(pid, { mark: replyMark, answers });
    }
    this.#names.set(name, now);
    return [...now.values()].filter(({ answers }) => answers >= ANSWERS).length > 1;
  }
}
