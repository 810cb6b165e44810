import { refusedError } from '../../src/domain/errors.ts';
import { outcomeUnknown, unreachable } from '../../src/etcd/etcd-errors.ts';
import type {
  CallOptions,
  Compare,
  EndpointStatus,
  EtcdPort,
  KeyValue,
  LivenessLease,
  RangeResult,
  TransactionResult,
  TransactOptions,
  Watch,
  WatchHandlers,
  Write,
} from '../../src/etcd/port.ts';
import type { Network } from './network.ts';
import type { SimProcess } from './process.ts';
import { LeaseGone, type SimEtcd } from './sim-etcd.ts';
import type { Fate } from './step-faults.ts';
import { SimWatch } from './sim-etcd-watch.ts';

/** How often a single request fares badly by itself, beside cuts of the network. */
export interface EtcdTrouble {
  lostRequest: number;
  lostReply: number;
  /** The request, or the reply, is under way for up to this long. */
  late: number;
  lateMostMs: number;
  /** Sent to two members: carried out once more, a moment or seconds later. */
  twice: number;
}

export const NO_TROUBLE: Readonly<EtcdTrouble> = {
  lostRequest: 0,
  lostReply: 0,
  late: 0,
  lateMostMs: 0,
  twice: 0,
};

export interface EtcdCounts {
  lostRequests: number;
  lostReplies: number;
  lateWrites: number;
  repeatedWrites: number;
}

export interface SimEtcdClientOptions {
  readonly process: SimProcess;
  readonly etcd: SimEtcd;
  readonly network: Network;
  readonly trouble: EtcdTrouble;
  readonly counts: EtcdCounts;
  /** Looks at each transaction, and may change it: for planted bugs. */
  readonly alter?: ((transaction: SentTransaction) => SentTransaction) | undefined;
  /** Told of each transaction as it is sent; decides what becomes of the request. */
  readonly onWrite?: ((process: SimProcess, writes: readonly Write[]) => Fate) | undefined;
}

export interface SentTransaction {
  readonly compares: readonly Compare[];
  readonly writes: readonly Write[];
}

const TIMEOUT_MS = 2_000;
const ENDPOINTS = ['etcd'];

/** One process's etcd port. */
export class SimEtcdClient implements EtcdPort {
  readonly options: SimEtcdClientOptions;

  constructor(options: SimEtcdClientOptions) {
    this.options = options;
  }

  get(key: string, options?: CallOptions): Promise<KeyValue | undefined> {
    return this.call(`get ${short(key)}`, options, (etcd) => etcd.get(key));
  }

  range(prefix: string, options?: CallOptions): Promise<RangeResult> {
    return this.call(`range ${short(prefix)}`, options, (etcd) => etcd.range(prefix));
  }

  transact(
    compares: readonly Compare[],
    writes: readonly Write[],
    options: TransactOptions = {},
  ): Promise<TransactionResult> {
    const sent = this.options.alter?.({ compares, writes }) ?? { compares, writes };
    const fate = this.options.onWrite?.(this.options.process, writes);
    const label = `txn ${writes.map((write) => `${write.kind === 'put' ? '' : '-'}${short(write.key)}`).join(' ')}`;
    const again = options.repeatable === true || appliesOnce(compares, writes);
    return this.call(label, options, (etcd) => etcd.transact(sent.compares, sent.writes), { again, fate });
  }

  watch(prefix: string, handlers: WatchHandlers): Promise<Watch> {
    return new SimWatch(this, prefix, handlers).open();
  }

  async grantLiveness(ttlMs: number): Promise<LivenessLease> {
    const ttl = Math.ceil(ttlMs / 1_000) * 1_000;
    const id = await this.call('grant liveness', undefined, (etcd) => etcd.grant(ttl));
    const { clock } = this.options.process;
    const closing = new AbortController();
    const beat = async () => {
      let provenAt = clock.monotonicMs();
      while (!closing.signal.aborted && clock.monotonicMs() - provenAt < ttl) {
        const alive = await this.call('keep alive', undefined, (etcd) => etcd.keepAlive(id)).catch(
          () => undefined,
        );
        if (alive === false) return;
        if (alive === true) provenAt = clock.monotonicMs();
        await clock.sleep(ttl / 3, closing.signal);
      }
    };
    return {
      id,
      lost: beat(),
      close: async () => {
        closing.abort();
        await this.call('revoke liveness', undefined, (etcd) => etcd.revoke(id)).catch(() => undefined);
      },
    };
  }

  status(): Promise<readonly EndpointStatus[]> {
    return Promise.resolve([]);
  }

  close(): void {
    // Nothing is held open.
  }

  /** One request and its reply. `write`: it has an effect, and a lost reply leaves that unknown. */
  call<T>(
    label: string,
    options: CallOptions | undefined,
    execute: (etcd: SimEtcd) => T,
    write?: { readonly again: boolean; readonly fate?: Fate },
  ): Promise<T> {
    const { process, etcd, network, trouble, counts } = this.options;
    const { random } = process.scheduler;
    const { name, host } = process;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let sent = true;
    process.scheduler.after(0, '', () => process.sent());
    let over = false;
    const settle = (how: () => void) => {
      if (over) return;
      over = true;
      cancel();
      how();
    };
    const cancel = process.timer(
      options?.timeoutMs ?? TIMEOUT_MS,
      () =>
        settle(() =>
          reject(
            write !== undefined && sent
              ? outcomeUnknown(ENDPOINTS, [new Error('no answer')])
              : unreachable(ENDPOINTS, [new Error('no answer')]),
          ),
        ),
      `${name} gave up: ${label}`,
    );
    const answer = (how: () => void) => {
      if (write?.fate === 'reply-lost' || random.chance(trouble.lostReply)) {
        counts.lostReplies += 1;
        process.scheduler.note(`reply lost: ${name} ${label}`);
        return;
      }
      const extraMs = random.chance(trouble.late) ? random.between(10, trouble.lateMostMs) : 0;
      network.send({ from: 'etcd', to: host.name, label: `${name} <- ${label}`, extraMs }, () =>
        process.deliver(label, () => settle(how)),
      );
    };
    const arrive = (reply: boolean) => {
      if (!etcd.available) {
        // A write may have been proposed to a member that commits it once there is a quorum again.
        if (write !== undefined && random.chance(0.5))
          process.scheduler.after(random.between(50, 1_000), `queued: ${name} ${label}`, () => arrive(reply));
        return;
      }
      try {
        const value = execute(etcd);
        if (reply) answer(() => resolve(value));
      } catch (error) {
        if (!(error instanceof LeaseGone)) throw error;
        if (reply)
          answer(() => reject(refusedError('the liveness lease is gone', { code: 'etcd_lease_gone' })));
      }
    };
    if (write?.fate === 'lost' || random.chance(trouble.lostRequest)) {
      counts.lostRequests += 1;
      sent = random.chance(0.5);
      process.scheduler.note(`request lost: ${name} ${label}`);
      return promise;
    }
    const route = { from: host.name, to: 'etcd', label: `${name} -> ${label}` };
    const isLate = random.chance(trouble.late);
    if (isLate && write !== undefined) counts.lateWrites += 1;
    const heldMs = typeof write?.fate === 'object' ? write.fate.lateMs : 0;
    const lateMs = isLate ? random.between(10, trouble.lateMostMs) : 0;
    network.send({ ...route, extraMs: heldMs + lateMs }, () => arrive(true));
    if (write?.again === true && random.chance(trouble.twice)) {
      counts.repeatedWrites += 1;
      const extraMs = random.between(1, Math.max(50, trouble.lateMostMs));
      network.send({ ...route, label: `${name} -> again: ${label}`, extraMs }, () => arrive(false));
    }
    return promise;
  }
}

/** As the real adapter judges it: sent twice, at most one of the two takes effect. */
function appliesOnce(compares: readonly Compare[], writes: readonly Write[]): boolean {
  const written = new Set(writes.map(({ key }) => key));
  return compares.some(({ key, modRevision }) => modRevision !== '0' && written.has(key));
}

const short = (key: string): string => key.split('/').slice(-2).join('/');
