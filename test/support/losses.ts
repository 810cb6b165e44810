/** Losses as tests make them up. */
import type { LossRecord, LostDecision } from '../../src/domain/loss-records.ts';

export const lostDecision = (change: Partial<LostDecision> = {}): LostDecision => ({
  shard: 1,
  position: '8',
  generation: 1,
  term: 1,
  issuer: 'MUNI-9',
  token: 'tok-1',
  desk: 'desk-1',
  command: 'reserve',
  outcome: 'confirmed',
  reservation: 'R-1',
  amount: '100',
  reason: null,
  hash: 'ab'.repeat(32),
  decidedAt: '2026-01-01T00:00:00.000000Z',
  maybeAcknowledged: false,
  heldBy: ['a'],
  ...change,
});

export const lossRecord = (change: Partial<LossRecord> = {}): LossRecord => ({
  operation: 'failover-1',
  cluster: 'c1',
  formerTerm: 1,
  term: 2,
  timeline: 1,
  lsn: '0/5000000',
  positions: { '1': '7' },
  voters: [{ member: 'b', incarnation: 'b-1' }],
  members: {
    a: { state: 'pending', incarnation: 'a-1', found: null, waived: null },
    b: { state: 'pending', incarnation: 'b-1', found: null, waived: null },
  },
  status: 'open',
  lost: null,
  signedOff: null,
  since: '2026-01-01T00:00:00.000Z',
  ...change,
});
