import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { dropConnection } from '../../../postgres/connection.ts';
import { decide } from '../../../reservations/client.ts';
import { bodyHash, defaultReservationId } from '../../../reservations/hash.ts';
import type { Scope } from '../../../reservations/types.ts';
import type { Ground } from '../types.ts';
import { completionOf, requestOf, type Sent } from './direct-lines.ts';

const DESK = 'stale-gateway';
const LIMIT = 100_000_000n;
const NOTIONAL = 100n;
const EVERY_MS = 60;
const DECIDE_WITHIN_MS = 2_500;
const CONNECT_WITHIN_MS = 2_000;

const SAID = { ok: 'decided', fail: 'refused', info: 'unknown' } as const;
type Said = 'decided' | 'refused' | 'unknown';

/**
 * A gateway that never looks at the map again: it connects to members directly under the gateway's role, and goes on
 * deciding in the scope that it first saw. Each of its requests is in the history.
 */
export class DirectGateway {
  readonly #ground: Ground;
  readonly #scope: Scope;
  readonly #issuer: string;
  readonly #ownIssuer: boolean;
  readonly #process = `stale-gateway-${randomBytes(3).toString('hex')}`;
  readonly #stopping = new AbortController();
  #members: readonly string[];
  #connection: { readonly member: string; readonly client: Client } | undefined;
  #running: Promise<void> | undefined;
  #turn = 0;
  #count = 0;
  /** How often what. */
  readonly told: Record<Said, number> = { decided: 0, refused: 0, unknown: 0 };

  constructor(options: {
    readonly ground: Ground;
    readonly member: string;
    readonly scope: Scope;
    readonly issuer: string;
    /** Nobody has set the issuer's limit. */
    readonly ownIssuer: boolean;
  }) {
    this.#ground = options.ground;
    this.#scope = options.scope;
    this.#issuer = options.issuer;
    this.#ownIssuer = options.ownIssuer;
    this.#members = [options.member];
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Whom it turns to when its connection is lost, one after another. */
  alsoTry(member: string): void {
    if (!this.#members.includes(member)) this.#members = [...this.#members, member];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#drop();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const limit = { kind: 'set-limit', limit: LIMIT } as const;
    while (!signal.aborted && this.#ownIssuer && this.told.decided === 0)
      await this.#ask((token) => ({
        ...this.#bound(token, limit),
        kind: 'set-limit',
        limit: String(LIMIT),
      }));
    const body = { kind: 'reserve', notional: NOTIONAL, reservation: null } as const;
    while (!signal.aborted)
      await this.#ask((token) => ({
        ...this.#bound(token, body),
        kind: 'reserve',
        notional: String(NOTIONAL),
        reservation: defaultReservationId(this.#issuer, token),
      }));
  }

  #bound(token: string, body: Parameters<typeof bodyHash>[0]['body']) {
    const issuer = this.#issuer;
    return { issuer, token, desk: DESK, hash: bodyHash({ issuer, desk: DESK, body }) };
  }

  async #ask(commandOf: (token: string) => Sent): Promise<void> {
    await delay(EVERY_MS);
    const connection = await this.#connect();
    if (connection === undefined || this.#stopping.signal.aborted) return;
    const { recorder } = this.#ground;
    const command = commandOf(`${this.#process}-${(this.#count += 1)}`);
    const request = requestOf({ command, process: this.#process, via: `direct ${connection.member}` });
    recorder.record({ kind: 'invoke', ...request });
    const result = await decide(connection.client, this.#scope, [command], { deadlineMs: DECIDE_WITHIN_MS });
    const completion = completionOf(result);
    recorder.record({ ...request, as_of: null, http: null, ...completion });
    const said = SAID[completion.kind];
    this.told[said] += 1;
    if (result.kind !== 'decided' && !result.connectionUsable) this.#drop();
    // A refusal is as true at whoever leads now.
    else if (said === 'refused' && this.#members.length > 1) this.#drop();
  }

  async #connect() {
    if (this.#connection !== undefined) return this.#connection;
    const member = this.#members[this.#turn % this.#members.length] ?? '';
    this.#turn += 1;
    const client = new Client({
      connectionString: this.#ground.environment.postgres[member]?.['gateway'],
      application_name: DESK,
      connectionTimeoutMillis: CONNECT_WITHIN_MS,
      options: '-c client_min_messages=warning',
    });
    // The request in flight rejects with the same error; without a listener the process would end.
    client.on('error', () => undefined);
    try {
      await client.connect();
      this.#connection = { member, client };
    } catch {
      dropConnection(client);
    }
    return this.#connection;
  }

  #drop(): void {
    if (this.#connection !== undefined) dropConnection(this.#connection.client);
    this.#connection = undefined;
  }
}
