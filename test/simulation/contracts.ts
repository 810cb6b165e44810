import type { Contract } from '../../src/domain/contract.ts';

/** Where only a person begins anything. */
export const CONTRACT: Contract = {
  version: 1,
  lease: { ttlMs: 3_000, renewEveryMs: 700, marginMs: 400, driftMs: 300 },
  durability: { openDegraded: true },
  rpo: { budgetMs: 5_000, gateMs: 3_000, releaseMs: 1_000, action: 'degrade' },
  rto: { maxMs: 600_000 },
  movePause: { maxMs: 1_000 },
  deadlines: {
    decisionMs: 2_500,
    readMs: 2_000,
    lockWaitMs: 1_000,
    etcdMs: 1_000,
    freezeMs: 4_000,
    promoteMs: 6_000,
    openMs: 8_000,
  },
  // Seldom, so that a seed's time goes to what decides.
  log: { beatEveryMs: 1_000, idleBeatEveryMs: 2_000, pollEveryMs: 20, idlePollEveryMs: 250 },
  admission: { queuePerShardMax: 100, batchCommandsMax: 10 },
  liveness: { heartbeatEveryMs: 1_000, heartbeatTtlMs: 5_000, clockSkewMaxMs: 500 },
};

/** Where agents begin and adopt by themselves. The flap's time is longer than any run: what counts doesn't hang on a clock. */
export const AUTOMATIC_CONTRACT: Contract = {
  ...CONTRACT,
  failover: {
    automatic: true,
    graceMs: 500,
    deadAfterMs: 1_100,
    adoptAfterMs: 4_000,
    flap: { max: 1, withinMs: 3_600_000 },
  },
};
