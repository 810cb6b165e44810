import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bodyHash,
  type BoundCommand,
  type CommandBody,
  defaultReservationId,
} from '../../../src/reservations/hash.ts';

const text = fc.string({ maxLength: 20, unit: 'binary' });
const amount = fc.bigInt({ min: 0n, max: 10n ** 17n });
const body: fc.Arbitrary<CommandBody> = fc.oneof(
  fc.record({ kind: fc.constant('reserve' as const), notional: amount, reservation: fc.option(text) }),
  fc.record({ kind: fc.constant('release' as const), reservation: text }),
  fc.record({ kind: fc.constant('set-limit' as const), limit: amount }),
  fc.record({ kind: fc.constant('correct' as const), limit: amount, reason: text }),
);
const command: fc.Arbitrary<BoundCommand> = fc.record({ issuer: text, desk: text, body });

const spelled = (value: BoundCommand) =>
  JSON.stringify(value, (_key, field: unknown) => (typeof field === 'bigint' ? `${field}n` : field));

/** As an object literal would be, whatever the order in which its fields were written. */
const canonical = ({ issuer, desk, body: { kind, ...fields } }: BoundCommand) =>
  spelled({
    issuer,
    desk,
    body: {
      kind,
      ...Object.fromEntries(Object.entries(fields).toSorted(([a], [b]) => a.localeCompare(b))),
    } as CommandBody,
  });

describe('the body hash', () => {
  it('is equal exactly for equal commands', () => {
    fc.assert(
      fc.property(command, command, (one, other) => {
        expect(bodyHash(one) === bodyHash(other)).toBe(canonical(one) === canonical(other));
      }),
    );
  });

  it('changes with issuer, desk, kind and each field', () => {
    const reserve = {
      issuer: 'A',
      desk: 'd',
      body: { kind: 'reserve', notional: 1n, reservation: null },
    } as const;
    const others: BoundCommand[] = [
      { ...reserve, issuer: 'B' },
      { ...reserve, desk: 'e' },
      { ...reserve, body: { ...reserve.body, notional: 2n } },
      { ...reserve, body: { ...reserve.body, reservation: 'R' } },
      { ...reserve, body: { kind: 'set-limit', limit: 1n } },
      { ...reserve, issuer: 'A","d', desk: '' },
    ];
    expect(new Set([reserve, ...others].map(bodyHash)).size).toBe(others.length + 1);
  });

  it('is 64 hex characters and never changes between versions', () => {
    expect(bodyHash({ issuer: 'MUNI-77', desk: 'd', body: { kind: 'release', reservation: 'R-1' } })).toBe(
      '3e3bd22fbd208626ee409d874ba174a562a5e52af72cbb1989c1b6f8fb94455a',
    );
  });
});

describe('the default reservation id', () => {
  it('is the same for the same issuer and token, well formed, and differs otherwise', () => {
    fc.assert(
      fc.property(text, text, text, text, (issuer, token, otherIssuer, otherToken) => {
        const id = defaultReservationId(issuer, token);
        expect(id).toMatch(/^R-[0-9A-HJKMNP-TV-Z]{12}$/);
        const same = issuer === otherIssuer && token === otherToken;
        expect(defaultReservationId(otherIssuer, otherToken) === id).toBe(same);
      }),
    );
  });
});
