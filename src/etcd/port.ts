/** What the control plane needs of etcd, and no more: reads, transactions that compare, watches and liveness leases. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** The store revision of the key's last change; what a compare-and-swap compares. */
  readonly modRevision: string;
}

export interface RangeResult {
  readonly kvs: readonly KeyValue[];
  /** The store revision of this answer; a watch from the next one misses nothing. */
  readonly revision: string;
}

/** `modRevision: '0'` demands that the key be absent. */
export interface Compare {
  readonly key: string;
  readonly modRevision: string;
}

export type Write =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly leaseId?: string }
  | { readonly kind: 'delete'; readonly key: string };

export interface TransactionResult {
  readonly succeeded: boolean;
  readonly revision: string;
}

export interface CallOptions {
  /** The longest that this call may take; default: the adapter's own. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface TransactOptions extends CallOptions {
  /**
   * The caller's word that carrying it out twice, or once more a moment later, does no harm (a lease renewal, a
   * heartbeat). A silent member then costs a moment and not the whole time: the request goes to another one too.
   * Transactions that write a key whose revision they compare don't need it.
   */
  readonly repeatable?: boolean;
}

export type WatchEvent =
  | { readonly kind: 'put'; readonly kv: KeyValue }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: string };

/** A watch lists first, then follows; after any break it lists again, so `onSnapshot` may come more than once. */
export interface WatchHandlers {
  readonly onSnapshot: (snapshot: RangeResult) => void;
  readonly onEvents: (events: readonly WatchEvent[], revision: string) => void;
  /**
   * About once a second while the watch is whole: everything that was committed before `provenAt` (`performance.now()`)
   * has been handed over. No proof comes while the watch hangs on a dead, paused or partitioned member.
   */
  readonly onProof?: (provenAt: number) => void;
  /** Told of each break; the watch mends itself. */
  readonly onBreak?: (error: unknown) => void;
}

export interface Watch {
  close(): Promise<void>;
}

export interface EndpointStatus {
  readonly endpoint: string;
  readonly reachable: boolean;
  readonly memberId: string | null;
  readonly leaderId: string | null;
  readonly raftTerm: string | null;
  readonly dbSizeBytes: string | null;
  readonly latencyMs: number | null;
  readonly version: string | null;
  readonly error: string | null;
}

/** Reads only: what the command line's quick commands need. */
export interface EtcdReader {
  /** Linearizable. Throws CapstanError `etcd_unreachable` (exit 7) when no quorum answers in time. */
  get(key: string, options?: CallOptions): Promise<KeyValue | undefined>;
  range(prefix: string, options?: CallOptions): Promise<RangeResult>;
  close(): void;
}

export interface EtcdPort extends EtcdReader {
  /**
   * All writes are carried out when all compares hold, else none. Throws CapstanError `etcd_unreachable` when the
   * request provably had no effect, and `etcd_outcome_unknown` (exit 5) when it may have been committed.
   */
  transact(
    compares: readonly Compare[],
    writes: readonly Write[],
    options?: TransactOptions,
  ): Promise<TransactionResult>;
  watch(prefix: string, handlers: WatchHandlers): Promise<Watch>;
  /** A liveness lease, kept alive until closed. Never a source of authority. */
  grantLiveness(ttlMs: number): Promise<LivenessLease>;
  status(options?: CallOptions): Promise<readonly EndpointStatus[]>;
}

export interface LivenessLease {
  readonly id: string;
  /** Settles when the lease is known to be gone; the holder grants another. */
  readonly lost: Promise<void>;
  close(): Promise<void>;
}
