import { adopt, handoversOf } from '../../src/agent/actions/adopt.ts';
import { register } from '../../src/agent/actions/register.ts';
import type { MemberContext } from '../../src/agent/context.ts';
import { newIncarnation } from '../../src/agent/incarnation.ts';
import { type AgentMemory, blankMemory, type Memory } from '../../src/agent/memory.ts';
import type { MoveGround } from '../../src/agent/moves/ground.ts';
import { runParts } from '../../src/agent/parts.ts';
import { Progress } from '../../src/agent/progress.ts';
import type { DataMaker } from '../../src/agent/data-maker.ts';
import type { Work } from '../../src/agent/work.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { watchEstate } from '../../src/controlplane/estate-watch.ts';
import type { Keys } from '../../src/controlplane/keys.ts';
import { openBootstrap } from '../../src/controlplane/leader-records.ts';
import { readContract } from '../../src/controlplane/store.ts';
import { unreachableError } from '../../src/domain/errors.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { askOldMap, watchOldMap } from './old-map.ts';
import type { Planted } from './planted.ts';
import type { SimProcess } from './process.ts';
import { SimMemberPostgres } from './sim-member-postgres.ts';
import { emptyDisk, type SimPostgres } from './sim-postgres.ts';
import type { AgentLogger } from '../../src/agent/logger.ts';

/** memory.json: what an agent must not forget over its restarts. */
export class SimMemory {
  value: AgentMemory;

  constructor(member: string) {
    this.value = blankMemory(member);
  }

  /** As one agent process writes it: a crash on the way leaves the former text. */
  openedBy(process: SimProcess): Memory {
    const stored = this as { value: AgentMemory };
    let mine = stored.value;
    let tail: Promise<unknown> = Promise.resolve();
    const { random } = process.scheduler;
    const write = async (before: Promise<unknown>, change: Partial<Omit<AgentMemory, 'member'>>) => {
      await before;
      const next = { ...mine, ...change };
      if (JSON.stringify(next) === JSON.stringify(mine)) return;
      if (random.chance(0.3)) await process.clock.sleep(random.between(0.5, 8));
      stored.value = next;
      mine = next;
    };
    return {
      get value() {
        return mine;
      },
      update(change) {
        const written = write(tail, change);
        tail = written.catch(() => undefined);
        return written;
      },
    };
  }
}

export interface SimAgentOptions {
  readonly process: SimProcess;
  readonly postgres: SimPostgres;
  readonly memory: SimMemory;
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly cluster: string;
  readonly region: string;
  /** Whether it tells what it holds, which only a failover to another region asks for. */
  readonly publishes: boolean;
  /** Whether shards may be moved between clusters. */
  readonly moves: boolean;
}

/** The agent's own parts over simulated ports. It never ends by itself. */
export async function runSimAgent(options: SimAgentOptions): Promise<void> {
  const { process, postgres, keys, cluster, region } = options;
  const { planted } = postgres.environment;
  const isBehind = planted === 'wipes-by-an-old-map';
  const etcd = isBehind ? askOldMap(options) : options.etcd;
  const clock = clockFor(process, planted);
  const { member } = postgres;
  const logger = loggerOf(process);
  const never = new AbortController().signal;
  for (;;) {
    try {
      const contract = await readContract(etcd, keys);
      const estate = await watchEstate({ etcd, keys, clock });
      const watch = isBehind ? watchOldMap(estate) : estate;
      const memory = options.memory.openedBy(process);
      const context: MemberContext = {
        cluster,
        member,
        region,
        version: 'simulated',
        etcd,
        keys,
        contract,
        memory,
        logger,
        clock,
      };
      const own = new SimMemberPostgres(process, postgres, memory);
      const make: DataMaker = {
        bootstrap: (work) => bootstrap(work, own, postgres),
        clone: (work, leader) => clone(work, own, { postgres, leader, process }),
        salvage: notSimulated,
        restore: cloneInstead,
        prove: notSimulated,
      };
      const progress = new Progress(context, own.session('progress', 'superuser', { timeoutMs: 2_000 }), () =>
        handoversOf(watch.current(), context.cluster),
      );
      await Promise.all([
        runParts({
          context,
          postgres: own,
          make,
          watch,
          signal: never,
          ...(options.moves ? { moveGround } : {}),
        }),
        options.publishes ? progress.run(never) : undefined,
      ]);
    } catch (error) {
      logger.warn({ reason: String(error) }, 'waiting for the estate');
      await clock.sleep(500);
    }
  }
}

/** A source's member is all of its address; there is no disk to fill, and no log to read. */
const moveGround: MoveGround = {
  sourceOf: (_, member) => Promise.resolve(member),
  diskFreeBytes: () => Promise.resolve(undefined),
  lastErrorOf: () => Promise.resolve(undefined),
};

/** Planted: a clock that stands still while the process does. */
function clockFor(process: SimProcess, planted: Planted): Clock {
  const { clock, host } = process;
  if (planted !== 'counts-from-the-reply') return clock;
  return { ...clock, bootMs: () => host.bootMs() - Math.floor(process.pausedMs) };
}

/** As src/agent/actions/bootstrap.ts, without initdb. */
async function bootstrap(work: Work, own: SimMemberPostgres, postgres: SimPostgres): Promise<void> {
  const { context, view, authority, signal } = work;
  const { memory, etcd, keys, cluster, member, clock } = context;
  if ((await own.data()) === 'absent') {
    await memory.update({ building: 'bootstrap', incarnation: newIncarnation(clock) });
    postgres.disk = {
      ...emptyDisk(),
      exists: true,
      system: `system-${clock.hex(3)}`,
      syncNames: postgres.disk.syncNames,
    };
    await memory.update({ building: null });
  }
  if ((await own.pid()) === undefined) {
    await memory.update({ opened: 'primary', ledTerm: authority.value.term });
    await own.writeSyncNames('ANY 1 ("capstan_barrier")');
    await own.start(signal);
  }
  if (signal.aborted) return;
  await adopt(work, 'bootstrap');
  if (view.members.get(member)?.value.incarnation !== memory.value.incarnation) await register(work);
  await openBootstrap({ etcd, keys, cluster, authority, member, actor: `agent:${member}`, clock });
}

/** As src/agent/actions/clone.ts: everything that the leader had flushed when the copy ended. */
async function clone(
  { context, signal }: Work,
  own: SimMemberPostgres,
  { postgres, leader, process }: { postgres: SimPostgres; leader: string; process: SimProcess },
): Promise<void> {
  const { memory, clock } = context;
  await memory.update({ building: 'clone', incarnation: newIncarnation(clock) });
  await own.historyOf(leader);
  await clock.sleep(process.scheduler.random.between(50, 800), signal);
  const source = postgres.environment.postgresOf(leader);
  const { network } = postgres.environment;
  const cut =
    source === undefined ||
    network.isCut(source.host.name, postgres.host.name) ||
    network.isCut(postgres.host.name, source.host.name);
  if (signal.aborted || cut || source.server === undefined || source.server.process.state !== 'running')
    throw unreachableError('cloning failed', { code: 'clone_failed' });
  const { wal, flushed, system, timeline, history } = source.disk;
  postgres.disk = {
    ...emptyDisk(),
    exists: true,
    standbySignal: true,
    system,
    wal: wal.slice(0, flushed),
    flushed,
    timeline,
    history: [...history],
    syncNames: 'ANY 1 ("capstan_barrier")',
  };
  await memory.update({ building: null, opened: 'standby', ledTerm: 0, promotingTerm: null });
}

function loggerOf(process: SimProcess): AgentLogger {
  const log = (facts: Readonly<Record<string, unknown>>, message: string) => {
    const reason = facts['reason'];
    process.scheduler.note(`${process.name}: ${message}${typeof reason === 'string' ? ` (${reason})` : ''}`);
  };
  return { info: log, warn: log, error: log, debug: log };
}

/** Nobody asks for a rejoin here. */
const notSimulated = (): Promise<void> => Promise.reject(new Error('a rejoin is not simulated'));

/** As src/agent/restore/restore.ts where it has doubts. */
async function cloneInstead({ context: { memory, clock } }: Work): Promise<void> {
  await memory.update({
    building: 'clone',
    incarnation: newIncarnation(clock),
    opened: 'standby',
    ledTerm: 0,
    promotingTerm: null,
  });
}
