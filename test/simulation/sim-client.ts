import { DatabaseError } from 'pg';
import type { EstateView, EstateWatch } from '../../src/controlplane/estate-watch.ts';
import { watchEstate } from '../../src/controlplane/estate-watch.ts';
import type { Keys } from '../../src/controlplane/keys.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import type { SqlClient } from '../../src/postgres/sql-client.ts';
import type { AskClient } from '../../src/reservations/ask.ts';
import { decide, resolveToken } from '../../src/reservations/client.ts';
import { type Command, isRefusedCommand, type Scope } from '../../src/reservations/types.ts';
import type { SimProcess } from './process.ts';
import { type Answer, decide as decideThere } from './sim-decide.ts';
import type { SimEnvironment, SimPostgres } from './sim-postgres.ts';

/** An outcome that a caller was told and may rely on. */
export interface Told {
  readonly token: string;
  readonly shard: number;
  readonly position: string;
  readonly term: number;
  readonly outcome: string;
  /** The term that was asked; that of the outcome may be older. */
  readonly under: number;
  /** Of the outcome: which owner of the shard decided it. */
  readonly generation: number;
  /** The cluster that was asked. */
  readonly cluster: string;
}

export interface ClientObserver {
  told(client: string, told: Told): void;
  asked(kind: 'decided' | 'refused' | 'unknown'): void;
}

export interface SimClientOptions {
  readonly process: SimProcess;
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly cluster: string;
  readonly shards: number;
  readonly environment: SimEnvironment;
  readonly observer: ClientObserver;
}

const DEADLINE_MS = 8_000;
const ISSUER = 'MUNI-77';

/** A desk with its gateway: routes by its own view of etcd, decides, retries what is unknown, and remembers what it was told. */
export async function runSimClient(options: SimClientOptions): Promise<void> {
  const { process, etcd, keys } = options;
  const { clock } = process;
  const { random } = process.scheduler;
  const watch = await openWatch();
  const unknown: { readonly token: string; readonly shard: number }[] = [];
  let count = 0;
  let behind = 0;
  let seen: EstateView | undefined;
  for (;;) {
    await clock.sleep(random.chance(0.3) ? random.between(1, 30) : random.between(60, 600));
    // A route may be old: gateways follow etcd, and are told late.
    if (behind > 0) behind -= 1;
    else if (random.chance(0.04)) behind = random.below(40);
    if (seen === undefined || behind === 0) seen = watch.current();
    const home = routeIn(seen, options.cluster);
    if (home === undefined) {
      seen = undefined;
      continue;
    }
    const again = random.chance(0.4) ? unknown.shift() : undefined;
    const shard = again?.shard ?? random.below(options.shards);
    count += 1;
    const token = again?.token ?? `${process.name}-${count}`;
    const { cluster = options.cluster, generation = 1 } = seen.shards.get(shard)?.value ?? {};
    const route = cluster === options.cluster ? home : routeIn(seen, cluster);
    if (route === undefined) continue;
    const scope: Scope = { ...route.scope, shard, generation };
    const postgres = options.environment.postgresOf(route.leader);
    if (postgres === undefined) continue;
    const connection = new SimConnection(process, postgres, options.environment);
    const ask = { deadlineMs: DEADLINE_MS, clock: patientClock(options) };
    if (again !== undefined && random.chance(0.4)) {
      const resolved = await resolveToken(connection, scope, { issuer: ISSUER, token }, ask);
      options.observer.asked(resolved.kind === 'resolved' ? 'decided' : resolved.kind);
      if (resolved.kind !== 'resolved' || resolved.outcome === null) unknown.push({ token, shard });
      else tell(options, { token, shard, under: scope.term, cluster }, resolved.outcome);
      continue;
    }
    const decided = await decide(connection, scope, [reserve(token)], ask);
    options.observer.asked(decided.kind);
    const [first] = decided.kind === 'decided' ? decided.outcomes : [];
    if (first !== undefined && !isRefusedCommand(first))
      tell(options, { token, shard, under: scope.term, cluster }, first);
    else if (decided.kind === 'unknown' || random.chance(0.5)) unknown.push({ token, shard });
  }

  async function openWatch(): Promise<EstateWatch> {
    for (;;) {
      try {
        return await watchEstate({ etcd, keys, clock });
      } catch {
        await clock.sleep(300);
      }
    }
  }
}

function tell(
  { process, observer }: SimClientOptions,
  about: Pick<Told, 'token' | 'shard' | 'under' | 'cluster'>,
  { position, term, generation, outcome }: Pick<Told, 'position' | 'term' | 'generation' | 'outcome'>,
): void {
  observer.told(process.name, { ...about, position, term, generation, outcome });
}

function routeIn({ clusters }: EstateView, cluster: string) {
  const view = clusters.get(cluster);
  const authority = view?.authority?.value;
  const epoch = view?.membership?.value.epoch;
  if (authority === undefined || authority.leader === null || epoch === undefined) return undefined;
  return { leader: authority.leader, scope: { cluster, epoch, term: authority.term } };
}

const reserve = (token: string): Command => ({
  kind: 'reserve',
  issuer: ISSUER,
  token,
  desk: 'desk',
  hash: 'ab',
  reservation: token,
  notional: '1',
});

/** Planted: a clock on which no reply is ever late. */
function patientClock({ process, environment }: SimClientOptions) {
  return environment.planted === 'believes-a-late-reply'
    ? { ...process.clock, monotonicMs: () => 0 }
    : process.clock;
}

const CALL =
  /^select capstan\.(decide|resolve)\('([^']+)', (\d+), (\d+), (\d+), (\d+), (.*)\)::text as answer$/s;

/** One connection to a member's Postgres over the network, for one request. */
export class SimConnection implements AskClient {
  readonly #process: SimProcess;
  readonly #postgres: SimPostgres;
  readonly #environment: SimEnvironment;
  readonly #listeners = new Set<(notice: { readonly code: string }) => void>();

  constructor(process: SimProcess, postgres: SimPostgres, environment: SimEnvironment) {
    this.#process = process;
    this.#postgres = postgres;
    this.#environment = environment;
  }

  on(_: 'notice', listener: (notice: { readonly code: string }) => void): void {
    this.#listeners.add(listener);
  }

  off(_: 'notice', listener: (notice: { readonly code: string }) => void): void {
    this.#listeners.delete(listener);
  }

  readonly query: SqlClient['query'] = (text) => this.#ask(text);

  #ask(text: string): Promise<{ readonly rows: never[] }> {
    const [, name, cluster = '', epoch, shard, generation, term, rest = ''] = CALL.exec(text) ?? [];
    const tokens = [...rest.matchAll(/"token":"([^"]+)"/g)].map(([, token]) => token ?? '');
    const resolve = name === 'resolve' ? /, '([^']+)'$/.exec(rest)?.[1] : undefined;
    const asked = {
      cluster,
      epoch: Number(epoch),
      shard: Number(shard),
      generation: Number(generation),
      term: Number(term),
      deciding: resolve === undefined,
      tokens,
      resolve,
    };
    const { promise, resolve: settle, reject } = Promise.withResolvers<{ readonly rows: never[] }>();
    const { network } = this.#environment;
    const here = this.#process.host.name;
    const there = this.#postgres.host.name;
    const label = `${this.#process.name} ${resolve === undefined ? 'decide' : 'resolve'} ${tokens.join(' ')}${resolve ?? ''}`;
    const back = (how: () => void, what: string) =>
      network.tell(this.#process, there, `${label}: ${what}`, how);
    const cutOff = () => back(() => reject(new Error('Connection terminated unexpectedly')), 'cut off');
    network.send(
      { from: here, to: there, label: `${label} at ${this.#postgres.member} under ${asked.term}` },
      () => {
        const { server } = this.#postgres;
        if (server === undefined || !server.answers) {
          cutOff();
          return;
        }
        server.onEnd.add(cutOff);
        const answer = (answered: Answer) => {
          server.onEnd.delete(cutOff);
          back(
            () => {
              if (answered.kind === 'error') {
                reject(databaseError(answered.code));
                return;
              }
              if (answered.warning) for (const listener of this.#listeners) listener({ code: '01000' });
              // The row is of the type that its caller names, as with pg.
              settle({ rows: [{ answer: answered.text }] as never[] });
            },
            answered.kind === 'error' ? answered.code : answered.warning ? 'with a warning' : 'answered',
          );
        };
        server.process.deliver(label, () => decideThere(server, asked, answer));
      },
    );
    return promise;
  }
}

function databaseError(code: string): DatabaseError {
  const error = new DatabaseError(`refused: ${code}`, 0, 'error');
  error.code = code;
  error.severity = 'ERROR';
  return error;
}
