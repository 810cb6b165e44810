/** The part of real agents that fails over by itself, beside a scripted cluster. */
import { AutomaticFailover } from '../../src/agent/automatic/automatic-failover.ts';
import { blankMemory } from '../../src/agent/memory.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import { watchEstate, type EstateWatch } from '../../src/controlplane/estate-watch.ts';
import { readContract } from '../../src/controlplane/store.ts';
import type { Contract } from '../../src/domain/contract.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { eventually } from './etcd.ts';
import { CLUSTER, type ScriptedCluster } from './scripted-agents.ts';

export const QUICK_FAILOVER = {
  automatic: true,
  graceMs: 100,
  adoptAfterMs: 400,
  flap: { max: 2, withinMs: 600_000 },
};
/** Short, so that many failovers fit into a test: a lease lapses after 450 ms, an operation is adopted after 400 ms. */
export const QUICK: Partial<Contract> = {
  lease: { ttlMs: 300, renewEveryMs: 100, marginMs: 50, driftMs: 50 },
  failover: QUICK_FAILOVER,
  liveness: { heartbeatEveryMs: 250, heartbeatTtlMs: 60_000, clockSkewMaxMs: 500 },
};
/** Enough looks, ten a second, to pass every wait of the contract above. */
const LOOKS = 15;

const quiet = () => undefined;

export interface AutomaticAgent {
  /** Resolves once it has decided often enough that every wait is over. */
  readonly hasWaited: () => Promise<void>;
  /** What it warned of. */
  readonly said: readonly string[];
  /** While set, its watch counts as unproven. */
  stale: boolean;
  /** While set, the leader's host refuses connections to its Postgres. */
  refused: boolean;
  readonly stop: () => Promise<void>;
}

export async function startAutomaticAgent(
  cluster: ScriptedCluster,
  member: string,
  { etcd, through = etcd }: { readonly etcd: EtcdPort; readonly through?: EtcdPort },
): Promise<AutomaticAgent> {
  const { keys } = cluster;
  const watch = await watchEstate({ etcd, keys });
  const contract = await readContract(etcd, keys);
  const ending = new AbortController();
  const said: string[] = [];
  const noted = (_facts: unknown, message: string) => said.push(message);
  let looks = 0;
  const agent = {
    stale: false,
    refused: false,
    said,
    hasWaited: async () => {
      const before = looks;
      await eventually('looks', () => (looks >= before + LOOKS ? true : undefined));
    },
    stop: async () => {
      ending.abort();
      await running;
      await watch.close();
    },
  };
  const seen: Pick<EstateWatch, 'current' | 'onChange' | 'staleForMs'> = {
    current: () => watch.current(),
    onChange: (listener) => watch.onChange(listener),
    staleForMs: () => {
      looks += 1;
      return agent.stale ? Infinity : watch.staleForMs();
    },
  };
  const automatic = new AutomaticFailover({
    context: {
      cluster: CLUSTER,
      member,
      etcd: through,
      keys,
      contract,
      memory: {
        value: { ...blankMemory(member), incarnation: `${member}-1` },
        update: async () => undefined,
      },
      logger: { debug: quiet, info: quiet, warn: noted, error: noted },
      clock: systemClock,
    },
    watch: seen as EstateWatch,
    state: () => 'following',
    isRefusedBy: async () => agent.refused,
  });
  const running = automatic.run(ending.signal);
  return agent;
}
