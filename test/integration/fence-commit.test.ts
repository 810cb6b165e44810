import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sqlStateOf } from '../../src/postgres/connection.ts';
import { decide } from '../../src/reservations/client.ts';
import type { Command } from '../../src/reservations/types.ts';
import { grantTestLease, SCOPE, startPostgres, type TestPostgres, waitUntil } from '../support/postgres.ts';
import { decided, outcomesOf, reserve, setLimit } from '../support/reservation-commands.ts';

const DEADLINE = { deadlineMs: 10_000 };

let postgres: TestPostgres;
let gateway: Client;
let superuser: Client;
let token = 0;

beforeAll(async () => {
  postgres = await startPostgres();
  gateway = await postgres.connect('gateway');
  superuser = await postgres.connect('superuser');
  await decided(gateway, SCOPE, setLimit('limit', 10n ** 9n));
});
afterAll(() => postgres.stop());
beforeEach(() => grantTestLease(postgres));

const freshReserve = () => {
  token += 1;
  return reserve(`t-${token}`, 1n);
};

const literal = (command: Command) => `'${JSON.stringify([command])}'::jsonb`;
/** As somebody would write it in psql. */
const byHand = (command: Command) =>
  `select capstan.decide('c1', 1, ${SCOPE.shard}, 1, 1, ${literal(command)})`;

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'committed',
    (error: unknown) => sqlStateOf(error) ?? String(error),
  );
}

async function committed(command: Command): Promise<boolean> {
  const { rows } = await superuser.query(
    'select 1 from capstan.reservation_token where reservation_token = $1',
    [command.token],
  );
  return rows.length > 0;
}

async function lapsed(): Promise<void> {
  await waitUntil('the lease has lapsed', async () => {
    const { rows } = await superuser.query(
      'select 1 from capstan.lease where expires_at < clock_timestamp()',
    );
    return rows.length === 1;
  });
}

describe('a direct connection as the gateway’s role, open all along', () => {
  it('that commits in a loop is confirmed until the lease lapses and never after', async () => {
    const direct = await postgres.connect('gateway');
    await grantTestLease(postgres, { validForMs: 400 });
    const { rows } = await superuser.query<{ at: string }>(
      'select expires_at::text as at from capstan.lease',
    );
    let confirmed = 0;
    let code = 'committed';
    while (code === 'committed') {
      code = await codeOf(direct.query(byHand(freshReserve())));
      if (code === 'committed') confirmed += 1;
    }
    expect(code).toBe('CP005');
    expect(confirmed).toBeGreaterThan(0);
    const after = await superuser.query('select 1 from capstan.outbox where decided_at >= $1', [rows[0]?.at]);
    expect(after.rows).toEqual([]);
    for (let again = 0; again < 5; again += 1) {
      expect(await codeOf(direct.query(byHand(freshReserve())))).toBe('CP005');
    }
  });

  it('that wraps decide in BEGIN … COMMIT past the lapse is refused at commit, without effect', async () => {
    const direct = await postgres.connect('gateway');
    await grantTestLease(postgres, { validForMs: 300 });
    const command = freshReserve();
    await direct.query(`begin; ${byHand(command)}`);
    await lapsed();
    expect(await codeOf(direct.query('commit'))).toBe('CP005');
    expect(await committed(command)).toBe(false);
  });

  it('that wraps it over a closing of admission, a new term or a seal is refused at commit', async () => {
    const changes = [
      ['CP006', `update capstan.lease set admission = 'closed'`, ''],
      ['CP001', 'update capstan.cluster_state set term = 2', 'update capstan.cluster_state set term = 1'],
      ['CP008', 'update capstan.cluster_state set epoch = 2', 'update capstan.cluster_state set epoch = 1'],
      [
        'CP003',
        `update capstan.shard_authority set state = 'sealed'`,
        `update capstan.shard_authority set state = 'serving'`,
      ],
      ['CP012', 'update capstan.lease set rpo_until = clock_timestamp()', ''],
    ] as const;
    for (const [code, change, undo] of changes) {
      await grantTestLease(postgres);
      const direct = await postgres.connect('gateway');
      const command = freshReserve();
      await direct.query(`begin; ${byHand(command)}`);
      await superuser.query(change);
      expect(await codeOf(direct.query('commit'))).toBe(code);
      expect(await committed(command)).toBe(false);
      if (undo !== '') await superuser.query(undo);
    }
  });

  it.each(['set local synchronous_commit = off', 'set synchronous_commit = local'])(
    'that says %s after deciding is refused at commit',
    async (weaken) => {
      const direct = await postgres.connect('gateway');
      const command = freshReserve();
      await direct.query(`begin; ${byHand(command)}`);
      await direct.query(weaken);
      expect(await codeOf(direct.query('commit'))).toBe('CP007');
      expect(await committed(command)).toBe(false);
    },
  );

  it('that holds a REPEATABLE READ snapshot is refused', async () => {
    const direct = await postgres.connect('gateway');
    await direct.query('begin isolation level repeatable read');
    await direct.query('select 1');
    expect(await codeOf(direct.query(byHand(freshReserve())))).toBe('CP010');
    await direct.query('rollback');
    const inOne = `begin isolation level repeatable read; ${byHand(freshReserve())}; commit`;
    expect(await codeOf(direct.query(inOne))).toBe('CP010');
  });

  it('that is in a transaction which has written something is refused', async () => {
    const direct = await postgres.connect('operator');
    await superuser.query(
      'create table if not exists public.scratch (n int); grant all on public.scratch to public',
    );
    await superuser.query('grant usage on schema public to public');
    const inOne = `insert into public.scratch values (1); ${byHand(freshReserve())}`;
    expect(await codeOf(direct.query(inOne))).toBe('CP010');
  });
});

const stepWallClock = (by: string) =>
  superuser.query(
    `create or replace function capstan.wall_clock() returns timestamptz language sql volatile
       as $$ select pg_catalog.clock_timestamp() + interval '${by}' $$`,
  );

describe('clocks', () => {
  it('a small step of the wall clock backwards, to before the grant, refuses', async () => {
    expect((await decided(gateway, SCOPE, freshReserve())).outcomes).toHaveLength(1);
    await stepWallClock('-2 s');
    const stepped = await decide(gateway, SCOPE, [freshReserve()], DEADLINE);
    await stepWallClock('0 s');
    expect(stepped).toMatchObject({ kind: 'refused', reason: 'leaseLapsed' });
  });

  it('a step backwards that stays behind the grant cannot stretch the lease: the boot clock ends it', async () => {
    await grantTestLease(postgres, { validForMs: 400 });
    await superuser.query(`update capstan.lease set granted_at = granted_at - interval '1 hour'`);
    await stepWallClock('-10 min');
    await lapsed();
    const late = await decide(gateway, SCOPE, [freshReserve()], DEADLINE);
    await stepWallClock('0 s');
    expect(late).toMatchObject({ kind: 'refused', reason: 'leaseLapsed' });
  });

  it('a step forwards past the expiry refuses', async () => {
    await stepWallClock('2 min');
    const stepped = await decide(gateway, SCOPE, [freshReserve()], DEADLINE);
    await stepWallClock('0 s');
    expect(stepped).toMatchObject({ kind: 'refused', reason: 'leaseLapsed' });
  });

  it('without a boot clock on either side the wall clock alone decides; on one side only, it refuses', async () => {
    const { rows } = await superuser.query<{ source: string }>(
      `select pg_get_functiondef('capstan.boot_clock_ms()'::regprocedure) as source`,
    );
    await superuser.query(
      `create or replace function capstan.boot_clock_ms() returns bigint language sql volatile as 'select null::bigint'`,
    );
    const oneSided = await decide(gateway, SCOPE, [freshReserve()], DEADLINE);
    await superuser.query('update capstan.lease set expires_uptime_ms = null, granted_uptime_ms = null');
    const neither = await decide(gateway, SCOPE, [freshReserve()], DEADLINE);
    await superuser.query(rows[0]?.source ?? '');
    expect(oneSided).toMatchObject({ kind: 'refused', reason: 'leaseLapsed' });
    expect(neither).toMatchObject({ kind: 'decided' });
  });
});

describe('guard', () => {
  beforeAll(async () => {
    await superuser.query('create table public.invoice (n int); grant usage on schema public to capstan_app');
    await superuser.query('grant all on public.invoice to capstan_app');
  });
  const guard = `select capstan.guard('c1', 1, ${SCOPE.shard}, 1, 1) as deadline`;

  it('lets another table’s transaction commit under a valid lease, and leaves nothing behind', async () => {
    const app = await postgres.connect('app');
    await app.query('begin');
    const { rows } = await app.query<{ deadline: Date }>(guard);
    await app.query('insert into public.invoice values (1)');
    await app.query('commit');
    expect(rows[0]?.deadline.getTime()).toBeGreaterThan(Date.now() + 30_000);
    expect((await superuser.query('select 1 from capstan.guard_entry')).rows).toEqual([]);
    expect((await superuser.query('select n from public.invoice')).rows).toEqual([{ n: 1 }]);
  });

  it('fences another table’s transaction whose lease lapses before its commit', async () => {
    const app = await postgres.connect('app');
    await grantTestLease(postgres, { validForMs: 300 });
    await app.query('begin');
    await app.query(guard);
    await app.query('insert into public.invoice values (2)');
    await lapsed();
    expect(await codeOf(app.query('commit'))).toBe('CP005');
    expect((await superuser.query('select n from public.invoice where n = 2')).rows).toEqual([]);
  });

  it('makes a seal wait for the transaction', async () => {
    const app = await postgres.connect('app');
    await app.query('begin');
    await app.query(guard);
    await superuser.query(`set lock_timeout = '100ms'`);
    const seal = `update capstan.shard_authority set state = 'sealed' where shard_id = ${SCOPE.shard}`;
    expect(await codeOf(superuser.query(seal))).toBe('55P03');
    await superuser.query('reset lock_timeout');
    expect(await codeOf(app.query('commit'))).toBe('committed');
  });

  it('refuses a stale term and a REPEATABLE READ transaction', async () => {
    const app = await postgres.connect('app');
    expect(await codeOf(app.query(guard.replace('1, 1)', '1, 2)')))).toBe('CP001');
    await app.query('begin isolation level repeatable read');
    expect(await codeOf(app.query(guard))).toBe('CP010');
    await app.query('rollback');
  });
});

it('nothing that was refused here left a trace: the log is dense and equals the tokens', async () => {
  const { rows } = await superuser.query(
    `select (select position from capstan.shard_head where shard_id = $1) as head,
        (select count(*) from capstan.outbox where shard_id = $1) as log,
        (select count(*) from capstan.reservation_token where shard_id = $1) as tokens`,
    [SCOPE.shard],
  );
  const last = outcomesOf(await decided(gateway, SCOPE, freshReserve()))[0];
  const head = String(BigInt(last?.position ?? 0) - 1n);
  expect(rows).toEqual([{ head, log: head, tokens: head }]);
});
