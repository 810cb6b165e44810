/** A rebalance of an estate whose agents and row comparisons are scripted, to be driven and disturbed. */
import { listAudit } from '../../src/controlplane/audit.ts';
import { abortOperation, resumeOperation } from '../../src/controlplane/operation/control.ts';
import {
  driveRebalance,
  type DriveRebalanceOptions,
} from '../../src/controlplane/rebalance/drive-rebalance.ts';
import { runRebalance, type RunRebalanceOptions } from '../../src/controlplane/rebalance/run.ts';
import type { MoveGoalKind, MoveRecord } from '../../src/domain/move-records.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import type { ShardRecord } from '../../src/domain/records.ts';
import type { EtcdPort, KeyValue } from '../../src/etcd/port.ts';
import { onlyOperation } from './coordinators.ts';
import { eventually } from './etcd.ts';
import { planFor } from './rebalance-plans.ts';
import { type MoverScript, ScriptedMovers } from './scripted-movers.ts';
import { type ScriptedSides, scriptedSides } from './scripted-sides.ts';

export interface GroundOptions {
  readonly scripts?: Record<string, MoverScript>;
  readonly shards?: number;
  readonly clusters?: string[];
}

export class RebalanceGround {
  readonly etcd: EtcdPort;
  readonly movers: ScriptedMovers;
  readonly sides: ScriptedSides;

  private constructor(etcd: EtcdPort) {
    this.etcd = etcd;
    this.movers = new ScriptedMovers(etcd);
    this.sides = scriptedSides(this.movers);
  }

  static async open(etcd: EtcdPort, { scripts = {}, ...seed }: GroundOptions = {}): Promise<RebalanceGround> {
    const ground = new RebalanceGround(etcd);
    Object.assign(ground.movers.scripts, scripts);
    await ground.movers.seed(seed);
    await ground.movers.start();
    return ground;
  }

  /** Another estate that begins as this one stands now, with agents of its own. */
  async copy({ scripts = {} }: Pick<GroundOptions, 'scripts'> = {}): Promise<RebalanceGround> {
    const ground = new RebalanceGround(this.etcd);
    Object.assign(ground.movers.scripts, scripts);
    await copyRecords(this.etcd, this.movers.keys.prefix, ground.movers.keys.prefix);
    for (const [shard, position] of this.movers.heads) ground.movers.heads.set(shard, position);
    await ground.movers.start();
    return ground;
  }

  close(): Promise<void> {
    return this.movers.stop();
  }

  async start(port: EtcdPort = this.etcd, options: Partial<RunRebalanceOptions> = {}) {
    const plan = options.plan ?? (await planFor(this.movers));
    return runRebalance({ ...this.#control(port), ...options, plan });
  }

  /** Of the only operation, unless another id is given. */
  async drive(goal: MoveGoalKind, port: EtcdPort = this.etcd, options: Partial<DriveRebalanceOptions> = {}) {
    const id = options.id ?? (await this.id());
    return driveRebalance({ ...this.#control(port), goal, ...options, id });
  }

  async resume(port: EtcdPort = this.etcd, options: { readonly signal?: AbortSignal } = {}) {
    return resumeOperation({ ...this.#control(port), id: await this.id(), ...options });
  }

  async abort(port: EtcdPort = this.etcd) {
    return abortOperation({ ...this.#control(port), id: await this.id() });
  }

  async operation(): Promise<OperationRecord> {
    const found = await onlyOperation(this.etcd, this.movers.keys);
    if (found === undefined) throw new Error('no operation');
    return found;
  }

  async id(): Promise<string> {
    return (await this.operation()).id;
  }

  async entries(): Promise<readonly ShardRecord[]> {
    return [...(await this.movers.estate()).shards.values()].map(({ value }) => value);
  }

  async owners(): Promise<readonly string[]> {
    return (await this.entries()).map(({ cluster }) => cluster);
  }

  async mapVersion(): Promise<number> {
    return (await this.movers.estate()).map.value.version;
  }

  async actions(): Promise<readonly string[]> {
    const log = await listAudit(this.etcd, this.movers.keys, { limit: 10_000 });
    return log.map(({ action }) => action);
  }

  async stream(stream = 0): Promise<MoveRecord> {
    const found = (await this.movers.streams()).find((record) => record.stream === stream);
    if (found === undefined) throw new Error(`no stream ${stream}`);
    return found;
  }

  untilPhase(phase: MoveRecord['phase'], stream = 0): Promise<MoveRecord> {
    return this.until(`stream ${stream} is in ${phase}`, (record) => record.phase === phase, stream);
  }

  until(what: string, holds: (record: MoveRecord) => boolean, stream = 0): Promise<MoveRecord> {
    return eventually(what, async () => {
      const found = (await this.movers.streams()).find((record) => record.stream === stream);
      return found !== undefined && holds(found) ? found : undefined;
    });
  }

  /** Who serves: one name where every shard has the same owner, that owner serves it, and no stream is sealed. */
  async served(): Promise<readonly string[]> {
    const seen = (await this.entries()).map(({ cluster, state }) =>
      state === 'serving' ? cluster : `${cluster} (${state})`,
    );
    const sealed = (await this.movers.streams()).filter(({ seal }) => seal !== null);
    return [...new Set([...seen, ...sealed.map(({ stream }) => `stream ${stream} is sealed`)])];
  }

  /** What is left of any rebalance beside its journal. */
  async left(): Promise<readonly string[]> {
    const { keys } = this.movers;
    const found = await Promise.all(
      [keys.moves, keys.moveReports, keys.movingShards].map((prefix) => this.etcd.range(prefix)),
    );
    return found.flatMap(({ kvs }) => kvs.map(({ key }) => key));
  }

  #control(port: EtcdPort) {
    const { keys } = this.movers;
    return { etcd: port, keys, actor: 'test', sides: () => Promise.resolve(this.sides) };
  }
}

const AT_ONCE = 100;

/** Every record under one prefix, under another. */
async function copyRecords(etcd: EtcdPort, from: string, to: string): Promise<void> {
  const { kvs } = await etcd.range(from);
  const put = ({ key, value }: KeyValue) =>
    ({ kind: 'put', key: to + key.slice(from.length), value }) as const;
  for (let at = 0; at < kvs.length; at += AT_ONCE)
    await etcd.transact([], kvs.slice(at, at + AT_ONCE).map(put));
}
