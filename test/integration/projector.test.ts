import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { LogSource } from '../../src/projections/log-source.ts';
import { requestRebuild } from '../../src/projections/request-rebuild.ts';
import { pauseProjections, resumeProjections } from '../../src/projections/pause.ts';
import type { ProjectionStore } from '../../src/projections/store-port.ts';
import { FOLLOWER, LEADER, ProjectorGround, type RunningTail } from '../support/projector-ground.ts';
import { SCOPE, waitUntil } from '../support/postgres.ts';
import { decided, release, reserve, setLimit } from '../support/reservation-commands.ts';

const LONG_MS = 60_000;
let ground: ProjectorGround;
let running: RunningTail[] = [];
let tokens = 0;

beforeAll(async () => {
  ground = await ProjectorGround.start();
  await decided(ground.gateway, SCOPE, setLimit('limit', 10n ** 12n));
}, LONG_MS);
afterAll(() => ground.stop());
afterEach(async () => {
  await Promise.all(running.map((tail) => tail.stop()));
  running = [];
});

const tail = (options: Parameters<ProjectorGround['tail']>[0] = {}) => {
  const started = ground.tail(options);
  running.push(started);
  return started;
};

/** So many reservations, of which every third is released. */
async function decideMany(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const token = `t-${(tokens += 1)}`;
    await decided(ground.gateway, SCOPE, reserve(token, 7n, { reservation: `r-${token}` }));
    if (n % 3 === 0) await decided(ground.gateway, SCOPE, release(`free-${token}`, `r-${token}`));
  }
}

async function expectFold(): Promise<void> {
  await ground.caughtUp();
  expect(await ground.verified()).toMatchObject({ equal: true, differences: 0 });
}

test(
  'decisions become rows that are the fold of the log, read from the follower, and idle shards stay fresh',
  async () => {
    const { tail: one } = tail();
    await decideMany(20);
    await expectFold();
    expect(one.figures()).toMatchObject({ member: 'follower', kind: 'in-sync', shards: 3, behind: '0' });
    const before = (await ground.watermark(183))?.asOf ?? new Date(0);
    await waitUntil(
      'a shard without a decision is said to be fresh as of later and later',
      async () => ((await ground.watermark(183))?.asOf ?? before) > before,
      LONG_MS,
    );
  },
  LONG_MS,
);

test(
  'an apply whose commit is never heard of is neither lost nor done twice',
  async () => {
    let deaf = 0;
    const store = (real: ProjectionStore): ProjectionStore => ({
      watermarks: (shards) => real.watermarks(shards),
      rebuild: (request) => real.rebuild(request),
      mark: (request) => real.mark(request),
      close: () => real.close(),
      apply: async (request) => {
        const applied = await real.apply(request);
        if (request.log.entries.length > 0 && deaf < 5) {
          deaf += 1;
          throw new Error('killed between apply and acknowledgement');
        }
        return applied;
      },
    });
    tail({ store });
    await decideMany(20);
    await expectFold();
    expect(deaf).toBe(5);
  },
  LONG_MS,
);

test(
  'two projectors on the same shard do each entry once',
  async () => {
    tail({ name: 'p1' });
    tail({ name: 'p2', members: [LEADER, FOLLOWER] });
    await decideMany(60);
    await expectFold();
  },
  LONG_MS,
);

test(
  'a member that is silent or refuses is left for the next one',
  async () => {
    const silent: Server = createServer(() => undefined).listen(0, '127.0.0.1');
    await waitUntil('it listens', () => silent.listening);
    const { port } = silent.address() as { port: number };
    const followerAddress = `${ground.pair.follower.host}:${ground.pair.follower.port}`;
    ground.address('follower', `127.0.0.1:${port}`);
    const { tail: one, troubles } = tail({ deadlineMs: 300 });
    await decideMany(5);
    await expectFold();
    expect(one.figures().member).toBe('leader');
    expect(troubles.map(({ member }) => member)).toContain('follower');
    silent.close();
    ground.address('follower', followerAddress);
  },
  LONG_MS,
);

test(
  'the projections’ database is away for a while: staleness grows, and nothing is missing afterwards',
  async () => {
    const { tail: one } = tail();
    await decideMany(3);
    await ground.caughtUp();
    await ground.reader.end();
    await ground.projections.postgres.restart('kill');
    await decideMany(10);
    await ground.reconnect();
    await expectFold();
    expect(one.database).toBeNull();
  },
  LONG_MS,
);

test(
  'positions that the log doesn’t hold are found, and the shard is rebuilt by itself',
  async () => {
    const { stop } = tail();
    await decideMany(5);
    const head = Number(await ground.caughtUp());
    await stop();
    running = [];
    await ground.plantLostDecision(head + 1);
    await decideMany(3);
    const { found, rebuilt } = tail();
    await waitUntil('it is rebuilt', () => rebuilt.length > 0, LONG_MS);
    expect(found).toContainEqual({ shard: SCOPE.shard, kind: 'forked' });
    expect(rebuilt[0]).toMatchObject({ shard: SCOPE.shard, error: null });
    await expectFold();
    expect((await ground.watermark())?.rebuilds).toBe(1);
  },
  LONG_MS,
);

test(
  'a gap is never applied: the shard says so, and follows again from a member that has it all',
  async () => {
    let holes = 3;
    const source = (real: LogSource): LogSource => {
      const ask = real.ask.bind(real);
      real.ask = async (...asked) => {
        const answer = await ask(...asked);
        if (answer === undefined || holes === 0) return answer;
        const logs = answer.logs.map((log) => {
          if (log.entries.length < 2) return log;
          holes -= 1;
          return { ...log, entries: log.entries.slice(1) };
        });
        return { ...answer, logs };
      };
      return real;
    };
    await decideMany(10);
    const { found } = tail({ source });
    await expectFold();
    expect(found).toContainEqual({ shard: SCOPE.shard, kind: 'gap' });
  },
  LONG_MS,
);

test(
  'a paused shard stands still, and catches up when it is resumed; a rebuild that somebody asks for is done once',
  async () => {
    const { rebuilt } = tail();
    await ground.caughtUp();
    const shards = [SCOPE.shard];
    const { reader: client } = ground;
    expect(await pauseProjections({ client, shards, reason: 'test', operator: 'me' })).toEqual(shards);
    expect(await pauseProjections({ client, shards, reason: 'test', operator: 'me' })).toEqual([]);
    const before = (await ground.watermark())?.position;
    await decideMany(5);
    await waitUntil('other shards go on meanwhile', async () => (await ground.watermark(185)) !== undefined);
    expect((await ground.watermark())?.position).toBe(before);
    expect(await resumeProjections({ client, shards })).toEqual(shards);
    await expectFold();
    expect(await requestRebuild({ client, shards, reason: 'why not', by: 'me' })).toEqual(shards);
    expect(await requestRebuild({ client, shards, reason: 'again', by: 'me' })).toEqual([]);
    await waitUntil('it is rebuilt', () => rebuilt.length > 0, LONG_MS);
    expect(rebuilt).toMatchObject([{ shard: SCOPE.shard, why: 'why not', error: null }]);
    await expectFold();
  },
  LONG_MS,
);
