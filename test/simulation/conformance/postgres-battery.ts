/** What the agents and callers rely on of Postgres, asked of any; each case answers what it saw. */
import type { Clock, ClockReading } from '../../../src/clock/clock.ts';
import { readClocks } from '../../../src/clock/clock.ts';
import type { SqlClient } from '../../../src/postgres/sql-client.ts';
import type { AskClient } from '../../../src/reservations/ask.ts';
import { decide, resolveToken } from '../../../src/reservations/client.ts';
import {
  adoptTerm,
  closeAdmission,
  extendLease,
  type GrantLease,
  grantLease,
} from '../../../src/reservations/lease-sql.ts';
import type { Command, Scope } from '../../../src/reservations/types.ts';
import { brief, ISSUER, setLimit } from '../../support/reservation-commands.ts';

/** A leader with shards 183 to 185 of cluster c1 under term 1, epoch 1, and its synchronous follower; no lease yet. */
export interface PostgresSubject {
  readonly clock: Clock;
  readonly syncNames: string;
  readonly agent: () => Promise<SqlClient>;
  readonly caller: () => Promise<AskClient>;
  readonly uuid: () => string;
  /** The follower flushes nothing until the answer is called. */
  readonly pauseFollower: () => Promise<() => void>;
  readonly restart: (mode: 'kill' | 'fast') => Promise<void>;
}

type Case = (subject: PostgresSubject) => Promise<readonly unknown[]>;

const SCOPE: Scope = { cluster: 'c1', epoch: 1, shard: 184, generation: 1, term: 1 };
const SHARDS = [183, 184, 185].map((shard) => ({ shard, generation: 1, state: 'serving' as const }));
const RIGHT = { validForMs: 60_000, rpoValidForMs: null, rpoLagMs: null, rpoClaim: null };

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;
const refusal = (work: Promise<unknown>) => work.then(() => 'done', codeOf);

async function grant(subject: PostgresSubject, over: Partial<GrantLease> = {}): Promise<string> {
  const grantId = over.grantId ?? subject.uuid();
  await grantLease(await subject.agent(), {
    ...RIGHT,
    cluster: 'c1',
    epoch: 1,
    term: 1,
    leader: 'leader',
    grantId,
    admission: { state: 'open', reason: null },
    syncNames: subject.syncNames,
    syncRequired: 1,
    syncMembers: ['c1-follower'],
    countedFrom: readClocks(subject.clock),
    ...over,
  });
  return grantId;
}

let tokens = 0;
const fresh = (): Command => {
  tokens += 1;
  return setLimit(`t-${tokens}`, 1_000n);
};

async function ask(
  subject: PostgresSubject,
  scope: Partial<Scope> = {},
  command: Command = fresh(),
  deadlineMs = 10_000,
): Promise<string> {
  const { clock } = subject;
  const result = await decide(await subject.caller(), { ...SCOPE, ...scope }, [command], {
    deadlineMs,
    clock,
  });
  if (result.kind === 'refused') return result.sqlState;
  return result.kind === 'unknown' ? `unknown ${result.why}` : (brief(result)[0] ?? '').replace(/@\d+/, '');
}

/** What is answered once it is no longer what it was; after 10 s, what it still is. */
async function otherThan(before: string, subject: PostgresSubject): Promise<string> {
  const { clock } = subject;
  const caller = await subject.caller();
  const overOne = { ...subject, caller: async () => caller };
  const deadline = clock.monotonicMs() + 10_000;
  for (;;) {
    const now = await ask(overOne);
    if (now !== before || clock.monotonicMs() > deadline) return now;
    await clock.sleep(100);
  }
}

async function positionOf(subject: PostgresSubject, command: Command, term = 1): Promise<bigint> {
  const { clock } = subject;
  const result = await decide(await subject.caller(), { ...SCOPE, term }, [command], {
    deadlineMs: 10_000,
    clock,
  });
  if (result.kind !== 'decided') throw new Error(`not decided: ${JSON.stringify(result)}`);
  return BigInt(/@(\d+)/.exec(brief(result)[0] ?? '')?.[1] ?? -1);
}

const shifted = (reading: ClockReading, by: { wallMs?: number; bootMs?: number }): ClockReading => ({
  wallMs: reading.wallMs + (by.wallMs ?? 0),
  bootMs: reading.bootMs === null ? null : reading.bootMs + (by.bootMs ?? 0),
});

/** In this order: each leaves what the next one begins with. */
export const POSTGRES_CASES: Readonly<Record<string, Case>> = {
  'without a lease everything is refused, in the order of the checks': async (subject) => [
    await ask(subject),
    await ask(subject, { term: 2 }),
    await ask(subject, { epoch: 2, term: 2 }),
    await ask(subject, { cluster: 'c2', epoch: 2 }),
    await ask(subject, { shard: 9, generation: 7 }),
    await ask(subject, { generation: 7 }),
  ],

  'a grant names what this Postgres has adopted, is not over, and is new': async (subject) => {
    const seen = [
      await refusal(grant(subject, { cluster: 'c2', epoch: 2 })),
      await refusal(grant(subject, { epoch: 2, term: 2 })),
      await refusal(grant(subject, { term: 2, validForMs: -1 })),
      await refusal(grant(subject, { validForMs: -1, syncNames: '' })),
      await refusal(grant(subject, { syncNames: '' })),
    ];
    const grantId = await grant(subject);
    return [...seen, await ask(subject), await refusal(grant(subject, { grantId })), await ask(subject)];
  },

  'with one, the first thing that is wrong is named': async (subject) => [
    await ask(subject, { cluster: 'c2', term: 2 }),
    await ask(subject, { epoch: 2, term: 2 }),
    await ask(subject, { term: 2, generation: 2 }),
    await ask(subject, { shard: 9, generation: 2 }),
    await ask(subject, { generation: 2 }),
    await ask(subject),
  ],

  'an extension is for its own grant, and takes nothing back': async (subject) => {
    const grantId = await grant(subject);
    const agent = await subject.agent();
    const countedFrom = readClocks(subject.clock);
    return [
      await extendLease(agent, { ...RIGHT, grantId, countedFrom, validForMs: 70_000 }),
      await extendLease(agent, { ...RIGHT, grantId, countedFrom, validForMs: 50_000 }),
      await extendLease(agent, { ...RIGHT, grantId: subject.uuid(), countedFrom }),
      await ask(subject),
    ];
  },

  'closed admission stops decisions, after what is checked before it, and is not extended': async (
    subject,
  ) => {
    const grantId = await grant(subject);
    const agent = await subject.agent();
    const closed = await closeAdmission(agent, 'a test');
    const countedFrom = readClocks(subject.clock);
    return [
      closed,
      await extendLease(agent, { ...RIGHT, grantId, countedFrom, validForMs: 70_000 }),
      await ask(subject),
      await ask(subject, { term: 2 }),
      await ask(subject, { generation: 2 }),
    ];
  },

  'either clock ends the right': async (subject) => {
    const now = readClocks(subject.clock);
    await grant(subject, { countedFrom: shifted(now, { bootMs: -58_000 }) });
    const open = await ask(subject);
    const byBoot = await otherThan(open, subject);
    const later = readClocks(subject.clock);
    await grant(subject, { countedFrom: shifted(later, { wallMs: -58_000 }) });
    const openAgain = await ask(subject);
    return [open, byBoot, openAgain, await otherThan(openAgain, subject)];
  },

  'positions are dense, and a token has one outcome': async (subject) => {
    await grant(subject);
    const [first, second] = [fresh(), fresh()];
    const at = await positionOf(subject, first);
    const next = await positionOf(subject, second);
    const again = await positionOf(subject, first);
    return [next - at === 1n, again === at, await ask(subject, {}, first)];
  },

  'a commit waits for its follower, and its outcome is reported only after': async (subject) => {
    const command = fresh();
    const resume = await subject.pauseFollower();
    const { clock } = subject;
    const waiting = await ask(subject, {}, command, 400);
    const token = { issuer: ISSUER, token: command.token };
    const resolved = await resolveToken(await subject.caller(), SCOPE, token, { deadlineMs: 400, clock });
    const elsewhere = await ask(subject, { shard: 185 }, fresh(), 400);
    resume();
    const after = await resolveToken(await subject.caller(), SCOPE, token, { deadlineMs: 10_000, clock });
    return [
      waiting,
      resolved.kind === 'unknown' && resolved.why,
      elsewhere,
      after.kind === 'resolved' && after.status,
      await ask(subject, {}, command),
    ];
  },

  'a crash empties the lease; a clean restart ends it too': async (subject) => {
    const first = await grant(subject);
    await subject.restart('kill');
    const afterCrash = await ask(subject);
    const gone = await extendLease(await subject.agent(), { ...RIGHT, grantId: first });
    const second = await grant(subject);
    const open = await ask(subject);
    await subject.restart('fast');
    const afterRestart = await ask(subject);
    const goneToo = await extendLease(await subject.agent(), { ...RIGHT, grantId: second });
    return [afterCrash, gone, open, afterRestart, goneToo];
  },

  'a term is adopted upwards only, and ends the lease of the one before': async (subject) => {
    await grant(subject);
    const last = await positionOf(subject, fresh());
    const adopt = (term: number, epoch = 1) =>
      subject
        .agent()
        .then((agent) =>
          refusal(adoptTerm(agent, { cluster: 'c1', epoch, term, reason: 'a test', shards: SHARDS })),
        );
    const seen = [
      await adopt(2),
      await adopt(2),
      await adopt(1),
      await ask(subject),
      await ask(subject, { term: 2 }),
    ];
    await grant(subject, { term: 2 });
    const first = await positionOf(subject, fresh(), 2);
    return [...seen, first - last === 1n, await ask(subject)];
  },
};
