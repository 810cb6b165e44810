import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldDecisions } from '../../../src/projections/fold.ts';
import { LogModel, type ModelCommand } from '../../support/log-model.ts';

const issuers = fc.constantFrom('MUNI-77', 'CORP-12', 'GHOST-1');
const command: fc.Arbitrary<ModelCommand> = fc.oneof(
  fc.record({ kind: fc.constant('limit' as const), issuer: issuers, limit: fc.nat(5_000) }),
  fc.record({
    kind: fc.constant('correct' as const),
    issuer: issuers,
    limit: fc.nat(5_000),
    reason: fc.constant('x'),
  }),
  fc.record({
    kind: fc.constant('reserve' as const),
    issuer: issuers,
    desk: fc.constantFrom('a', 'b'),
    amount: fc.integer({ min: 1, max: 2_000 }),
  }),
  fc.record({ kind: fc.constant('release' as const), issuer: issuers, nth: fc.nat(20) }),
  fc.record({ kind: fc.constant('settle' as const), issuer: issuers }),
);
const logs = fc
  .array(command, { maxLength: 120 })
  .map(
    (commands) =>
      new LogModel().run([{ kind: 'limit', issuer: 'MUNI-77', limit: 4_000 }, ...commands]).entries,
  );

const sumOf = (values: Iterable<string>): bigint =>
  [...values].reduce((sum, value) => sum + BigInt(value), 0n);

describe('the fold of any log', () => {
  it('holds of each issuer what is open, and the sum of it is reserved', () => {
    fc.assert(
      fc.property(logs, (log) => {
        const { fold } = foldDecisions(log);
        for (const [issuer, row] of fold.issuers) {
          const open = [...fold.open]
            .filter(([key]) => key.startsWith(`${issuer}\u0000`))
            .map(([, value]) => value);
          expect(row.open_count).toBe(open.length);
          const sum = open.reduce((total, { amount_cents }) => total + BigInt(amount_cents), 0n);
          expect(row.reserved_cents).toBe(sum.toString());
        }
      }),
    );
  });

  it('holds of all desks together what is open', () => {
    fc.assert(
      fc.property(logs, (log) => {
        const { fold } = foldDecisions(log);
        expect(sumOf([...fold.desks.values()].map((row) => row.open_cents))).toBe(
          sumOf([...fold.open.values()].map((row) => row.amount_cents)),
        );
        expect(sumOf([...fold.desks.values()].map((row) => row.open_count))).toBe(BigInt(fold.open.size));
      }),
    );
  });

  it('has one row a decision, and a reservation is open in it exactly when it is among the open ones', () => {
    fc.assert(
      fc.property(logs, (log) => {
        const { fold, decisions } = foldDecisions(log);
        expect([...decisions.keys()]).toEqual(log.map(({ position }) => position));
        const open = [...decisions.values()]
          .filter(({ status }) => status === 'open')
          .map(({ position }) => position);
        expect(open.toSorted()).toEqual([...fold.open.values()].map(({ position }) => position).toSorted());
        for (const row of decisions.values()) {
          if (row.status !== 'released') continue;
          const release = decisions.get(row.released_position ?? '');
          expect(release).toMatchObject({
            event: 'released',
            reservation: row.reservation,
            issuer: row.issuer,
          });
        }
      }),
    );
  });
});
