import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideLeader, frozenVoters } from '../../../src/controlplane/failover/proof.ts';
import { isReportOf, promotionDifferences } from '../../../src/controlplane/failover/verification.ts';
import type { FreezeReport, PromotionReport } from '../../../src/domain/agent-reports.ts';
import type { InSyncRecord, MemberRole } from '../../../src/domain/records.ts';

const OPERATION = 'failover-1';
const TERM = 7;

const report = (member: string, over: Partial<FreezeReport> = {}): FreezeReport => ({
  term: TERM,
  operation: OPERATION,
  member,
  incarnation: `${member}-1`,
  timeline: 3,
  receivedLsn: '0/5000000',
  replayedLsn: '0/5000000',
  positions: { '184': '982441' },
  frozenAt: '2026-01-01T00:00:00.000Z',
  ...over,
});

const inSync = (members: readonly string[], required = members.length): InSyncRecord => ({
  term: TERM - 1,
  epoch: 1,
  voters: members.map((member) => ({ member, incarnation: `${member}-1` })),
  required,
  degraded: false,
  since: '2026-01-01T00:00:00.000Z',
});

const round = (
  set: InSyncRecord,
  reports: readonly FreezeReport[],
  roles: Readonly<Record<string, MemberRole | undefined>> = {},
) => {
  const members = set.voters.flatMap(({ member }) => {
    const role = member in roles ? roles[member] : 'voter';
    return role === undefined ? [] : [[member, { region: 'r', role }] as const];
  });
  const membership = { epoch: 1, members: Object.fromEntries(members) };
  return frozenVoters({ operation: OPERATION, term: TERM, inSync: set, membership, reports });
};

describe('the in-region fence proof', () => {
  it('holds with one frozen voter when all voters are required', () => {
    expect(round(inSync(['b', 'd']), [report('d')])).toMatchObject({ holds: true, needed: 1 });
  });

  it('needs enough frozen voters that the rest can not make a quorum', () => {
    const set = inSync(['b', 'd', 'e'], 2);
    expect(round(set, [report('b')])).toMatchObject({ holds: false, needed: 2 });
    expect(round(set, [report('b'), report('e')]).holds).toBe(true);
  });

  it('counts no follower that etcd does not record as in sync', () => {
    expect(round(inSync(['b']), [report('c')])).toMatchObject({ holds: false, frozen: [] });
  });

  it('refuses a recorded voter that was cloned anew, and says so', () => {
    const proof = round(inSync(['b']), [report('b', { incarnation: 'b-2' })]);
    expect(proof.holds).toBe(false);
    expect(proof.missing[0]?.why).toMatch(/incarnation b-2, but etcd records b-1/);
  });

  it('counts no recorded voter that the membership has dropped or made an observer: it may not lead', () => {
    for (const role of ['observer', undefined] as const) {
      expect(round(inSync(['b']), [report('b')], { b: role })).toMatchObject({ holds: false, frozen: [] });
      const proof = round(inSync(['b', 'd']), [report('b', { replayedLsn: 'F/0' }), report('d')], {
        b: role,
      });
      expect(proof).toMatchObject({ holds: true, missing: [{ member: 'b' }] });
      expect(decideLeader(proof.frozen, null)).toMatchObject({ prefix: { member: 'd' } });
    }
  });

  it('counts no report of an earlier term or of another operation', () => {
    expect(round(inSync(['b']), [report('b', { term: TERM - 1 })]).holds).toBe(false);
    expect(round(inSync(['b']), [report('b', { operation: 'failover-0' })]).holds).toBe(false);
  });

  it('never holds on a degraded or an empty record', () => {
    expect(round({ ...inSync([]), degraded: true }, []).holds).toBe(false);
    expect(round(inSync(['b'], 0), [report('b')]).holds).toBe(false);
  });

  it('always leaves the old leader short of its quorum, and one frozen voter in each quorum', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 7 }).chain((n) =>
          fc.record({
            n: fc.constant(n),
            required: fc.integer({ min: 1, max: n }),
            frozen: fc.subarray(Array.from({ length: n }, (_, i) => `v${i}`)),
          }),
        ),
        ({ n, required, frozen }) => {
          const set = inSync(
            Array.from({ length: n }, (_, i) => `v${i}`),
            required,
          );
          const { holds } = round(
            set,
            frozen.map((member) => report(member)),
          );
          expect(holds).toBe(n - frozen.length < required);
        },
      ),
    );
  });
});

describe('the decision', () => {
  it('orders by timeline, then by LSN as a number', () => {
    const reports = [
      report('b', { replayedLsn: '0/9000000' }),
      report('d', { replayedLsn: '0/10000000' }),
      report('e', { timeline: 2, replayedLsn: 'F/0' }),
    ];
    const decision = decideLeader(reports, null);
    expect(decision).toMatchObject({ kind: 'decided', prefix: { member: 'd', lsn: '0/10000000' } });
    expect(decision.kind === 'decided' && decision.order.map(({ member }) => member)).toEqual([
      'd',
      'b',
      'e',
    ]);
  });

  it('takes the target when it holds as much as the best', () => {
    expect(decideLeader([report('b'), report('d')], 'd')).toMatchObject({
      kind: 'decided',
      prefix: { member: 'd' },
    });
  });

  it('refuses a target that is behind or not frozen', () => {
    const ahead = report('b', { replayedLsn: '1/0' });
    expect(decideLeader([ahead, report('d')], 'd')).toMatchObject({ kind: 'target-behind' });
    expect(decideLeader([ahead], 'd')).toMatchObject({ kind: 'target-not-frozen' });
  });
});

describe('the verification of a promotion', () => {
  const prefix = {
    member: 'b',
    incarnation: 'b-1',
    timeline: 3,
    lsn: '0/5000000',
    positions: { '184': '982441', '9': '12' },
  };
  const claim = { operation: OPERATION, term: TERM, prefix };
  const promoted: PromotionReport = {
    term: TERM,
    operation: OPERATION,
    member: 'b',
    timeline: 4,
    switchLsn: '0/5000000',
    positions: { '9': '12', '184': '982441' },
    promotedAt: '2026-01-01T00:00:00.000Z',
  };

  it('accepts exactly the decided prefix', () => {
    expect(promotionDifferences(promoted, claim)).toEqual([]);
    expect(promotionDifferences({ ...promoted, switchLsn: '00000000/05000000' }, claim)).toEqual([]);
  });

  it('names each difference: timeline, switchpoint, a position more, less or missing', () => {
    expect(promotionDifferences({ ...promoted, timeline: 3 }, claim)[0]).toMatch(/timeline 3/);
    expect(promotionDifferences({ ...promoted, switchLsn: '0/5000028' }, claim)[0]).toMatch(/0\/5000028/);
    expect(promotionDifferences({ ...promoted, positions: { '9': '13' } }, claim)).toEqual([
      'shard 9 is at 13, decided 12',
      'shard 184 is at none, decided 982441',
    ]);
  });

  it('takes a head that was never made for one at 0: a repeated promotion finds what adopting made', () => {
    const again = { ...promoted, positions: { ...promoted.positions, '300': '0' } };
    expect(promotionDifferences(again, claim)).toEqual([]);
    const written = { ...promoted, positions: { ...promoted.positions, '300': '1' } };
    expect(promotionDifferences(written, claim)).toEqual(['shard 300 is at 1, decided none']);
  });

  it('is not satisfied by a report of another term, operation or member', () => {
    expect(isReportOf(promoted, claim)).toBe(true);
    expect(isReportOf({ ...promoted, term: 6 }, claim)).toBe(false);
    expect(isReportOf({ ...promoted, operation: 'x' }, claim)).toBe(false);
    expect(isReportOf({ ...promoted, member: 'd' }, claim)).toBe(false);
    expect(isReportOf(undefined, claim)).toBe(false);
  });
});
