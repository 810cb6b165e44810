import { describe, expect, test } from 'vitest';
import { ApplyErrors } from '../../../src/agent/moves/apply-errors.ts';
import { missingAt } from '../../../src/agent/moves/arrival.ts';
import { COMMIT_MS_AGAIN, COMMIT_MS_MAX, holdBack } from '../../../src/agent/moves/hold-back.ts';
import { lastErrorIn } from '../../../src/agent/moves/local-ground.ts';
import type { Walsender } from '../../../src/agent/sync-set.ts';
import { emptyClusterView } from '../../../src/controlplane/cluster-view.ts';

describe('holding back', () => {
  const sight = { paused: false, ownerCommitMs: 10, claimStands: true, holds: false };
  test('has a reason, and none while everything is near', () => {
    expect(holdBack(sight)).toBeNull();
    expect(holdBack({ ...sight, paused: true })).toContain('person');
    expect(holdBack({ ...sight, claimStands: false })).toContain('remote follower');
    expect(holdBack({ ...sight, ownerCommitMs: null })).toBeNull();
  });

  test('ends well below where it began', () => {
    const between = (COMMIT_MS_MAX + COMMIT_MS_AGAIN) / 2;
    expect(holdBack({ ...sight, ownerCommitMs: between })).toBeNull();
    expect(holdBack({ ...sight, ownerCommitMs: between, holds: true })).toContain('at the owner');
    expect(holdBack({ ...sight, ownerCommitMs: COMMIT_MS_MAX + 1 })).toContain('at the owner');
  });
});

describe('errors while applying', () => {
  const on = { enabled: true, applies: true };
  const off = { enabled: false, applies: false };
  test('are tried again at longer and longer intervals, and shown until they are over', () => {
    const errors = new ApplyErrors();
    expect(errors.mayApply({ ...on, errors: 0 }, 0)).toBe(true);
    expect(errors.mayApply({ ...off, errors: 1 }, 100)).toBe(false);
    expect(errors.standing).toBe(1);
    expect(errors.mayApply({ ...off, errors: 1 }, 1_100)).toBe(true);
    expect(errors.mayApply({ ...off, errors: 2 }, 1_200)).toBe(false);
    expect(errors.mayApply({ ...off, errors: 2 }, 3_199)).toBe(false);
    expect(errors.mayApply({ ...off, errors: 2 }, 3_200)).toBe(true);
    expect(errors.mayApply({ ...on, errors: 2 }, 3_300)).toBe(true);
    expect(errors.standing).toBe(2);
    expect(errors.mayApply({ ...on, errors: 2 }, 5_300)).toBe(true);
    expect(errors.standing).toBe(0);
  });

  test('are told as Postgres logged them', () => {
    const log = [
      '2026 [7]  ERROR:  another worker’s',
      '2026 [8]  ERROR:  duplicate key value violates unique constraint "outbox_pkey"',
      '2026 [8]  CONTEXT:  processing remote data',
      '2026 [7]  LOG:  something',
      '2026 [8]  LOG:  subscription "capstan_t" has been disabled because of an error',
    ].join('\n');
    expect(lastErrorIn(log, 'capstan_t')).toBe(
      'duplicate key value violates unique constraint "outbox_pkey"',
    );
    expect(lastErrorIn(log, 'capstan_u')).toBeUndefined();
  });
});

const sender = (name: string, flushedLsn: string, replayedLsn: string): Walsender => ({
  name,
  state: 'streaming',
  syncState: 'async',
  syncPriority: 0,
  flushedLsn,
  replayedLsn,
  replyMark: null,
});
const versioned = <T>(value: T) => ({ value, revision: '1' });

const at = (voter: string, observer: string) => [
  sender('n2_bb22', voter, '0/1'),
  sender('n3_aa11', '0/99', observer),
];

describe('an LSN has arrived', () => {
  const view = {
    ...emptyClusterView('c2'),
    membership: versioned({
      epoch: 1,
      members: {
        n1: { region: 'a', role: 'voter' as const },
        n2: { region: 'a', role: 'voter' as const },
        n3: { region: 'b', role: 'observer' as const },
        n4: { region: 'b', role: 'learner' as const },
      },
    }),
    members: new Map(
      ['n3', 'n4'].map((name) => [
        name,
        versioned({
          name,
          cluster: 'c2',
          region: 'b',
          incarnation: 'aa11',
          systemIdentifier: 's',
          registeredAt: '',
        }),
      ]),
    ),
    inSync: versioned({
      term: 1,
      epoch: 1,
      voters: [{ member: 'n2', incarnation: 'bb22' }],
      required: 1,
      degraded: false,
      since: '',
    }),
  };
  test('when every recorded voter has flushed it and every observer has replayed it', () => {
    expect(missingAt(at('0/50', '0/50'), view, '0/50')).toBeUndefined();
    expect(missingAt(at('0/4F', '0/50'), view, '0/50')).toContain('voters');
    expect(missingAt(at('0/50', '0/4F'), view, '0/50')).toContain('observer n3');
  });

  test('and not where an observer is silent, two answer as one, or nothing is recorded', () => {
    expect(missingAt([sender('n2_bb22', '0/50', '0/1')], view, '0/50')).toContain('observer n3');
    const doubled = [...at('0/50', '0/50'), sender('n3_aa11', '0/50', '0/50')];
    expect(missingAt(doubled, view, '0/50')).toContain('observer n3');
    expect(missingAt(at('0/50', '0/50'), { ...view, inSync: undefined }, '0/50')).toContain('in-sync');
    const degraded = versioned({ ...view.inSync.value, voters: [], degraded: true });
    expect(missingAt(at('0/50', '0/50'), { ...view, inSync: degraded }, '0/50')).toContain('in-sync');
  });
});
