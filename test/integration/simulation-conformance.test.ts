/** The simulated etcd and Postgres against the real ones: the same battery, the same answers. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { adoptTerm } from '../../src/reservations/lease-sql.ts';
import { ETCD_CASES } from '../simulation/conformance/etcd-battery.ts';
import { POSTGRES_CASES, type PostgresSubject } from '../simulation/conformance/postgres-battery.ts';
import { simulatedEtcd, simulatedPostgres } from '../simulation/conformance/simulated-subjects.ts';
import { startEtcd, type TestEtcd } from '../support/etcd.ts';
import { SCOPE, startPostgresPair, TEST_SHARDS, type TestPair, waitUntil } from '../support/postgres.ts';

/** The simulated answer may not depend on the seed. */
const SEEDS = [1, 2, 3] as const;

describe('the simulated etcd answers as the real one', () => {
  let server: TestEtcd;
  let etcd: EtcdPort;
  beforeAll(async () => {
    server = await startEtcd();
    etcd = await server.open();
  });
  afterAll(async () => {
    etcd.close();
    await server.stop();
  });

  test.each(Object.entries(ETCD_CASES))('%s', async (name, run) => {
    const prefix = `/conformance/${name.replaceAll(/\W+/g, '-')}/`;
    const breakConnections = async () => {
      const member = server.member(0);
      await member.kill();
      member.start();
      await waitUntil(
        'etcd answers again',
        () =>
          etcd.get('/').then(
            () => true,
            () => false,
          ),
        20_000,
      );
    };
    const real = await run({ etcd, breakConnections, until: waitUntil }, prefix);
    for (const seed of SEEDS) {
      const { subject, drive } = simulatedEtcd(seed);
      expect(await drive(run(subject, prefix))).toEqual(real);
    }
  });
});

describe('the simulated Postgres answers as the real one', () => {
  let pair: TestPair;
  let subject: PostgresSubject;
  const simulated = SEEDS.map((seed) => simulatedPostgres(seed));
  beforeAll(async () => {
    pair = await startPostgresPair({ lease: false });
    const agent = await pair.leader.connect('agent');
    const shards = TEST_SHARDS.map((shard) => ({ shard, generation: 1, state: 'serving' as const }));
    await adoptTerm(agent, { ...SCOPE, reason: 'test', shards });
    subject = {
      clock: systemClock,
      syncNames: pair.syncNames,
      uuid: randomUUID,
      agent: async () => pair.leader.connect('agent'),
      caller: async () => pair.leader.connect('gateway'),
      pauseFollower: () => pair.pauseFollower(),
      restart: async (mode) => {
        await pair.leader.restart(mode);
        const watch = await pair.leader.connect('superuser');
        await waitUntil('the follower streams again', async () => {
          const { rows } = await watch.query(`select 1 from pg_stat_replication where sync_state = 'quorum'`);
          return rows.length === 1;
        });
      },
    };
  });
  afterAll(() => pair.stop());

  test.each(Object.entries(POSTGRES_CASES))('%s', async (_, run) => {
    const real = await run(subject);
    for (const { subject: simulatedSubject, drive } of simulated)
      expect(await drive(run(simulatedSubject))).toEqual(real);
  });
});
