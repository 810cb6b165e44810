import type {
  MoveDifference,
  MoveRecord,
  MoveVerification,
  VerificationCursor,
} from '../../domain/move-records.ts';

export interface Compared {
  readonly verification: MoveVerification;
  readonly differences: readonly MoveDifference[];
}

/** What a coordinator asks of the two Postgres of a stream; injected, so that tests can script it. */
export interface MoveSides {
  /** Compares a stream's rows from the record's cursor on; yields progress; ends with the result. */
  verify(about: {
    readonly record: MoveRecord;
    readonly signal?: AbortSignal;
    readonly onProgress: (cursor: VerificationCursor) => Promise<void>;
  }): Promise<Compared>;
  /** Brings a verification up to date: what changed since, by key. `sealed`: positions must be equal on both sides, and dense. */
  verifySince(about: {
    readonly record: MoveRecord;
    readonly since: MoveVerification;
    readonly sealed: boolean;
    readonly deadlineMs: number;
    readonly signal?: AbortSignal;
  }): Promise<Compared>;
  close(): Promise<void>;
}
