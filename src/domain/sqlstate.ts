/**
 * What Postgres answers when the fence refuses, one SQLSTATE a reason (class `CP`; raised by the functions in
 * src/reservations/sql). A refusal has no effect: nothing of the batch is committed.
 */
export const FenceState = {
  staleTerm: 'CP001',
  staleGeneration: 'CP002',
  shardSealed: 'CP003',
  shardNotOwned: 'CP004',
  leaseLapsed: 'CP005',
  admissionClosed: 'CP006',
  durabilityWeakened: 'CP007',
  staleEpoch: 'CP008',
  wrongCluster: 'CP009',
  transactionShape: 'CP010',
  badCommand: 'CP011',
  rpoLapsed: 'CP012',
  notLeader: 'CP013',
  /** Not here, or not yet to be quoted from here. */
  notConfirmed: 'CP015',
  notFollower: 'CP016',
  tooFarBack: 'CP017',
} as const;

export type FenceReason = keyof typeof FenceState;

const REASON_BY_STATE = new Map<string, FenceReason>(
  Object.entries(FenceState).map(([reason, state]) => [state, reason as FenceReason]),
);

/** The fence's reason behind a SQLSTATE, or undefined when the fence didn't speak. */
export const fenceReasonOf = (sqlState: string | undefined): FenceReason | undefined =>
  sqlState === undefined ? undefined : REASON_BY_STATE.get(sqlState);
