/** The sweep of a leader's agent that is held up right before its first wipe. */
import { LocalSession } from '../../src/agent/local-session.ts';
import type { MemberContext } from '../../src/agent/context.ts';
import { RequestedSweep } from '../../src/agent/moves/requested-sweep.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { MoveOrphans, SweepReport } from '../../src/domain/sweep-records.ts';
import type { TwoClusters } from './two-clusters.ts';

export interface LateSweep {
  /** It has judged what etcd and Postgres hold, and has wiped nothing yet. */
  readonly looked: Promise<void>;
  readonly go: () => void;
  /** What it left, and the SQLSTATEs of what was refused meanwhile. */
  readonly ended: Promise<Pick<SweepReport, 'left'> & { readonly refusals: readonly string[] }>;
}

export function lateSweep(
  world: TwoClusters,
  about: { readonly cluster: string; readonly member: string; readonly orphans: MoveOrphans },
): LateSweep {
  const { cluster, member, orphans } = about;
  const { port, keys } = world;
  const { contract, clusters } = world.view();
  const authority = clusters.get(cluster)?.authority;
  if (contract === undefined || authority === undefined) throw new Error('not led');
  const looked = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const request = {
    value: { id: 'sweep-late', orphans, mapVersion: 1, askedBy: 'test', askedAt: '' },
    revision: '1',
  };
  const standing = () => {
    const estate = world.view();
    const view = estate.clusters.get(cluster);
    if (view === undefined) return undefined;
    const asked = new Map([...estate.clusters, [cluster, { ...view, sweepRequest: request }]]);
    return { estate: { ...estate, clusters: asked }, authority, leased: true };
  };
  const left: SweepReport['left'][number][] = [];
  const logger = { info: (said: Partial<SweepReport>) => left.push(...(said.left ?? [])) };
  const refusals: string[] = [];
  const session = (role: 'superuser' | 'agent') =>
    new LocalSession({ open: () => world.connect(member, role), timeoutMs: 15_000 });
  const [admin, agent] = [session('superuser'), session('agent')];
  const context = {
    cluster,
    member,
    etcd: port,
    keys,
    logger,
    clock: systemClock,
    contract: contract.value,
  };
  const sweep = new RequestedSweep({
    context: context as unknown as MemberContext,
    admin,
    agent: {
      ...sessionOf(agent),
      use: async (work, timeoutMs) => {
        looked.resolve();
        await held.promise;
        return agent.use(work, timeoutMs).catch((error: unknown) => {
          refusals.push(String((error as { code?: string }).code));
          throw error;
        });
      },
    },
    standing,
  });
  const ended = async () => {
    try {
      await sweep.step(new AbortController().signal);
      return { left, refusals };
    } finally {
      await Promise.all([admin.close(), agent.close()]);
    }
  };
  return { looked: looked.promise, go: () => held.resolve(), ended: ended() };
}

const sessionOf = (session: LocalSession) => ({
  query: session.query.bind(session),
  one: session.one.bind(session),
  use: session.use.bind(session),
  drop: () => session.drop(),
  close: () => session.close(),
});
