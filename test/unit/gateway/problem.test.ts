import { describe, expect, it } from 'vitest';
import { judge } from '../../../src/gateway/answer.ts';
import { decidedReply } from '../../../src/gateway/decided-reply.ts';
import { createKey, KeyRing, parseKeys } from '../../../src/gateway/keys.ts';
import {
  PROBLEM_CODES,
  problemDocument,
  problemStatus,
  retryAfterSeconds,
} from '../../../src/gateway/problem.ts';
import { FenceState, type FenceReason } from '../../../src/domain/sqlstate.ts';
import type { Outcome } from '../../../src/reservations/types.ts';

describe('a problem document', () => {
  it('has the members of RFC 9457 and its code for every code', () => {
    for (const code of PROBLEM_CODES) {
      const document = problemDocument(code, { detail: 'x', field: 'f', effect: 'none' }, '/p');
      expect(document).toEqual({
        type: `urn:capstan:problem:${code.replaceAll('_', '-')}`,
        title: expect.stringMatching(/^[A-Z]/),
        status: problemStatus(code),
        detail: 'x',
        code,
        field: 'f',
        instance: '/p',
        effect: 'none',
      });
    }
  });

  it('asks to retry after whole seconds, never at once', () => {
    expect([undefined, 0, 1, 1_000, 1_001].map(retryAfterSeconds)).toEqual(['1', '1', '1', '1', '2']);
  });

  it('stands for each refusal of the fence; only what promises no effect is sent again', () => {
    for (const reason of [...(Object.keys(FenceState) as FenceReason[]), 'busy'] as const) {
      const refused = { kind: 'refused', reason, sqlState: '', message: '', connectionUsable: true } as const;
      const { code, again } = judge(refused);
      expect(problemStatus(code)).toBeGreaterThanOrEqual(500);
      const followed = /^(stale|shard|wrong|notLeader)/.test(reason);
      expect([reason, again === 'on-change']).toEqual([reason, followed]);
      const granted = /^(lease|admission|durability)/.test(reason);
      expect([reason, again === 'on-grant']).toEqual([reason, granted]);
    }
  });
});

describe('a decided reply', () => {
  const outcome: Outcome = {
    outcome: 'confirmed',
    replayed: false,
    command: 'reserve',
    position: '982441',
    generation: 7,
    term: 3,
    reason: null,
    reservation: 'r-1',
    notional: '100',
    remaining: '-5',
    reserved_after: '105',
    limit_after: '100',
    decided_at: '2026-01-01T00:00:00Z',
  };

  it('is the same for a replay but for `replayed` and the status', () => {
    for (const variant of ['confirmed', 'rejected', 'abandoned'] as const) {
      const first = decidedReply({ ...outcome, outcome: variant }, { shard: 184, token: 'tok' });
      const again = decidedReply(
        { ...outcome, outcome: variant, replayed: true },
        { shard: 184, token: 'tok' },
      );
      expect(again.body).toBe(first.body.replace('"replayed":false', '"replayed":true'));
      expect([first.status, again.status]).toEqual(variant === 'confirmed' ? [201, 200] : [409, 409]);
    }
  });

  it('shows amounts with two places and the commit token', () => {
    const { body } = decidedReply(outcome, { shard: 184, token: 'tok' });
    expect(JSON.parse(body)).toMatchObject({ remaining: '-0.05', commit_token: 'shard184@982441~7.3' });
  });
});

describe('a key ring', () => {
  it('knows a key by its digest alone', () => {
    const { key, entry } = createKey({ desk: 'madrid-1', role: 'desk' });
    const ring = new KeyRing([entry]);
    expect(JSON.stringify(entry)).not.toContain(key);
    expect(ring.identify(`Bearer ${key}`)).toEqual({ desk: 'madrid-1', role: 'desk' });
    for (const header of [
      undefined,
      '',
      key,
      'Bearer ',
      `Bearer ${key}x`,
      `Basic ${key}`,
      'Bearer '.repeat(200),
    ]) {
      expect(ring.identify(header)).toBeUndefined();
    }
  });

  it('refuses a file that names the line at fault', () => {
    const { entry } = createKey({ desk: 'd', role: 'operator' });
    expect(parseKeys(JSON.stringify([entry]), 'f').size).toBe(1);
    for (const bad of ['', '{}', '[{}]', JSON.stringify([{ ...entry, sha256: 'x' }]), '[{"role":"root"}]']) {
      expect(() => parseKeys(bad, 'keys.json')).toThrowError(
        expect.objectContaining({ code: 'keys_invalid', message: expect.stringContaining('keys.json') }),
      );
    }
  });
});
