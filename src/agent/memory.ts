import { refusedError } from '../domain/errors.ts';
import type { RejoinMethod } from '../domain/rejoin-records.ts';
import { readIfThere, writeDurably } from './durable-file.ts';

/**
 * What an agent must not forget over a restart. It lies outside the data directory, because pg_basebackup and pg_rewind
 * replace what is inside. `highest…` never fall: what etcd says below them is refused.
 */
export interface AgentMemory {
  readonly member: string;
  /** The estate's incarnation: an etcd that was rebuilt is another one. */
  readonly estate: string | null;
  /** Of the data directory: a new clone is a new incarnation. */
  readonly incarnation: string | null;
  /** Set before a data directory is made and cleared when it is whole. */
  readonly building: 'bootstrap' | 'clone' | null;
  readonly highestTerm: number;
  readonly highestEpoch: number;
  readonly highestMapVersion: number;
  /** The role in which the data directory was last opened. */
  readonly opened: 'primary' | 'standby' | null;
  /** The last term under which this member led, or was told to. */
  readonly ledTerm: number;
  /** Set before pg_promote is sent, under this term. */
  readonly promotingTerm: number | null;
  /** Set before this Postgres is shut down for a hand-over, with the heads as they were; cleared by any later start. */
  readonly handedOver: {
    readonly term: number;
    readonly operation: string;
    readonly positions: Readonly<Record<string, string>>;
  } | null;
  readonly quarantine: { readonly reason: string; readonly since: string } | null;
  /** How the data was made anew, from before a byte of it was changed until it is registered. */
  readonly restore: Restoring | null;
}

/** `proved`: nothing is left to compare with the leader; a clone never has anything. */
export interface Restoring {
  readonly operation: string | null;
  readonly formerIncarnation: string | null;
  /** Under which it was begun. */
  readonly term: number;
  readonly method: RejoinMethod;
  readonly reason: string | null;
  readonly proved: boolean;
}

export const blankMemory = (member: string): AgentMemory => ({
  member,
  estate: null,
  incarnation: null,
  building: null,
  highestTerm: 0,
  highestEpoch: 0,
  highestMapVersion: 0,
  opened: null,
  ledTerm: 0,
  promotingTerm: null,
  handedOver: null,
  quarantine: null,
  restore: null,
});

/** What the agent needs of it. A change is durable when `update` returns. */
export interface Memory {
  readonly value: AgentMemory;
  update(change: Partial<Omit<AgentMemory, 'member'>>): Promise<void>;
}

/** The memory on disk, and the only writer of it. A change is durable when `update` returns. */
export class MemoryFile implements Memory {
  readonly #path: string;
  #memory: AgentMemory;
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(path: string, memory: AgentMemory) {
    this.#path = path;
    this.#memory = memory;
  }

  /** Throws `agent_memory_foreign` (exit 4) when the file is another member's or isn't readable as a memory. */
  static async open(path: string, member: string): Promise<MemoryFile> {
    const text = await readIfThere(path);
    if (text === undefined) return new MemoryFile(path, blankMemory(member));
    const stored = parseMemory(text);
    if (stored?.member !== member) {
      throw refusedError(`${path} is not the memory of ${member}`, {
        code: 'agent_memory_foreign',
        next: 'check the data directory of this member in capstan.yaml',
      });
    }
    return new MemoryFile(path, { ...blankMemory(member), ...stored });
  }

  get value(): AgentMemory {
    return this.#memory;
  }

  /** Writes only when something changes. One write at a time, in the order of the calls. */
  async update(change: Partial<Omit<AgentMemory, 'member'>>): Promise<void> {
    const before = this.#tail;
    const write = this.#write(before, change);
    this.#tail = write.catch(() => undefined);
    await write;
  }

  async #write(before: Promise<unknown>, change: Partial<Omit<AgentMemory, 'member'>>): Promise<void> {
    await before;
    const next = { ...this.#memory, ...change };
    const text = JSON.stringify(next);
    if (text === JSON.stringify(this.#memory)) return;
    await writeDurably(this.#path, `${text}\n`);
    this.#memory = next;
  }
}

function parseMemory(text: string): AgentMemory | undefined {
  try {
    return JSON.parse(text) as AgentMemory;
  } catch {
    return undefined;
  }
}
