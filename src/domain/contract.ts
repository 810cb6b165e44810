/** The budgets of `contract.yaml`, in milliseconds and counts. Parsed by src/config/contract.ts. */
export interface Contract {
  readonly version: number;
  readonly lease: {
    readonly ttlMs: number;
    readonly renewEveryMs: number;
    readonly marginMs: number;
    readonly driftMs: number;
  };
  readonly durability: { readonly openDegraded: boolean };
  readonly rpo: {
    readonly budgetMs: number;
    readonly gateMs: number;
    readonly releaseMs: number;
    readonly action: 'degrade' | 'close';
  };
  readonly rto: { readonly maxMs: number };
  readonly movePause: { readonly maxMs: number };
  readonly deadlines: {
    readonly decisionMs: number;
    readonly readMs: number;
    readonly lockWaitMs: number;
    readonly etcdMs: number;
    readonly freezeMs: number;
    readonly promoteMs: number;
    readonly openMs: number;
  };
  readonly admission: { readonly queuePerShardMax: number; readonly batchCommandsMax: number };
  readonly liveness: {
    readonly heartbeatEveryMs: number;
    readonly heartbeatTtlMs: number;
    readonly clockSkewMaxMs: number;
  };
}
