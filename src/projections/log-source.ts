import type { Client } from 'pg';
import type { EstateConfig } from '../config/estate-config.ts';
import { messageOf } from '../domain/errors.ts';
import { connectAs } from '../postgres/connect-as.ts';
import { dropConnection } from '../postgres/connection.ts';
import { type LogAnswer, type LogRequest, readLog, readLogAtLeader } from '../reservations/read-log.ts';
import type { Source, Sources } from './sources.ts';

const SET_ASIDE_FIRST_MS = 500;
const SET_ASIDE_MOST_MS = 15_000;
/** A connection that is no longer the best one's is kept for what the best one refuses. */
const UNUSED_MS = 20_000;

export interface LogSourceOptions {
  readonly config: EstateConfig;
  readonly region: string;
  readonly applicationName: string;
  /** Of one question, connecting included. */
  readonly deadlineMs: number;
  /** Told of each member that is left for another one. */
  readonly onTrouble?: (trouble: { readonly member: string; readonly why: string }) => void;
  readonly now?: () => number;
}

export interface SourcedAnswer extends LogAnswer {
  readonly source: Source;
}

interface Aside {
  readonly why: string;
  readonly untilMs: number;
  readonly waitMs: number;
}

/**
 * The log of one cluster, from the best member that answers. One that refuses or is silent is set aside, for longer each time, and
 * the next one is asked; then it is asked first again. A new authority forgives all. One question at a time.
 */
export class LogSource {
  readonly #options: LogSourceOptions;
  readonly #now: () => number;
  readonly #connections = new Map<string, { readonly client: Client; usedMs: number }>();
  readonly #aside = new Map<string, Aside>();
  #authority = '';

  constructor(options: LogSourceOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * Asks the members in their order until one answers. `skip`: so many of those that would be asked are passed over first (what they
   * refused is asked of others). Undefined: nobody answers now.
   */
  async ask(sources: Sources, request: LogRequest, skip = 0): Promise<SourcedAnswer | undefined> {
    this.#forgiveUnder(sources);
    const ready = this.#ready(sources.members);
    const order =
      ready.length === 0 ? [] : [...ready.slice(skip % ready.length), ...ready.slice(0, skip % ready.length)];
    for (const source of order) {
      const answer = await this.#askOne(source, sources.scope, request);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  /** A member that answered what can't be used: others go first for a while. */
  setAside(member: string, why: string): void {
    const waitMs = Math.min(
      SET_ASIDE_MOST_MS,
      (this.#aside.get(member)?.waitMs ?? SET_ASIDE_FIRST_MS / 2) * 2,
    );
    // Said once, however long it lasts.
    if (this.#aside.get(member)?.why !== why) this.#options.onTrouble?.({ member, why });
    this.#aside.set(member, { why, waitMs, untilMs: this.#now() + waitMs });
  }

  /** A member whose answer was good: what was held against it is over. */
  trust(member: string): void {
    this.#aside.delete(member);
  }

  close(): void {
    for (const member of this.#connections.keys()) this.#drop(member);
  }

  #forgiveUnder({ scope, members }: Sources): void {
    const authority = JSON.stringify([scope, members]);
    if (authority === this.#authority) return;
    this.#authority = authority;
    this.#aside.clear();
    for (const member of this.#connections.keys()) {
      if (!members.some((one) => one.member === member)) this.#drop(member);
    }
  }

  #ready(members: readonly Source[]): readonly Source[] {
    const now = this.#now();
    return members.filter(({ member }) => (this.#aside.get(member)?.untilMs ?? 0) <= now);
  }

  async #askOne(
    source: Source,
    scope: Sources['scope'],
    request: LogRequest,
  ): Promise<SourcedAnswer | undefined> {
    const { member } = source;
    const deadlineAt = performance.now() + this.#options.deadlineMs;
    let client: Client;
    try {
      client = await this.#connected(scope.cluster, member);
    } catch (error) {
      this.setAside(member, messageOf(error));
      return undefined;
    }
    const options = { deadlineMs: Math.max(1, deadlineAt - performance.now()) };
    const result =
      source.kind === 'leader'
        ? await readLogAtLeader(client, scope, request, options)
        : await readLog(client, scope, { ...request, soleVoter: source.soleVoter }, options);
    if (result.kind === 'read') {
      this.#closeUnused(member);
      return { ...result, source };
    }
    if (!result.connectionUsable) this.#drop(member);
    this.setAside(member, result.message);
    return undefined;
  }

  async #connected(cluster: string, member: string): Promise<Client> {
    const known = this.#connections.get(member);
    if (known !== undefined) {
      known.usedMs = this.#now();
      return known.client;
    }
    const { config, region, applicationName, deadlineMs } = this.#options;
    const client = await connectAs({
      config,
      role: 'reader',
      cluster,
      member,
      region,
      applicationName,
      connectTimeoutMs: deadlineMs,
      statementTimeoutMs: deadlineMs,
      lockTimeoutMs: deadlineMs,
    });
    this.#connections.set(member, { client, usedMs: this.#now() });
    return client;
  }

  #closeUnused(inUse: string): void {
    const before = this.#now() - UNUSED_MS;
    for (const [member, { usedMs }] of this.#connections) {
      if (member !== inUse && usedMs < before) this.#drop(member);
    }
  }

  #drop(member: string): void {
    const known = this.#connections.get(member);
    this.#connections.delete(member);
    if (known !== undefined) dropConnection(known.client);
  }
}
