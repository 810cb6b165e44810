import { timestampOf } from '../../clock/clock.ts';
import { ABSENT, Transaction, type Versioned } from '../../controlplane/store.ts';
import type { MoveRecord, MoveReport } from '../../domain/move-records.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import type { MemberContext } from '../context.ts';

const EVERY_MS = 1_000;
/** What moves all the time: no reason to write sooner. */
const FIGURES: ReadonlySet<string> = new Set([
  'retainedWalBytes',
  'walBytesPerSecond',
  'diskFreeBytes',
  'commitMs',
  'written',
  'rowsCopied',
  'bytesCopied',
  'lagBytes',
  'lagPositions',
]);

/** A report without what the writer adds. */
export type ReportBody = MoveReport extends infer R
  ? R extends MoveReport
    ? Omit<R, 'cluster' | 'member' | 'at'>
    : never
  : never;

/** Writes what this cluster's leader says of a stream: what has changed at once, figures once a second. */
export class ReportWriter {
  readonly #context: MemberContext;
  #written: { readonly all: string; readonly state: string; readonly atMs: number } | undefined;
  /** Of the report that was written here last: a view may not show it yet. */
  #revision = ABSENT;

  constructor(context: MemberContext) {
    this.#context = context;
  }

  /** What was written under an earlier authority, or may not have been, is written again. */
  forget(): void {
    this.#written = undefined;
    this.#revision = ABSENT;
  }

  /**
   * Compares the authority and the stream, for nothing is said of a state that has passed, and the report that it replaces: what is
   * sent twice, or late, replaces no later one. Throws what etcd throws.
   */
  async write(
    body: ReportBody,
    {
      authority,
      held,
      seen,
    }: {
      authority: Versioned<AuthorityRecord>;
      held: Versioned<MoveRecord>;
      /** The revision of the report as it is known; `ABSENT`: none. */
      seen: string;
    },
  ): Promise<void> {
    const { etcd, keys, cluster, member, clock, contract } = this.#context;
    const nowMs = clock.monotonicMs();
    const all = JSON.stringify([body, authority.revision]);
    const state = JSON.stringify([body, authority.revision], (key, value: unknown) =>
      FIGURES.has(key) ? undefined : value,
    );
    const last = this.#written;
    if (last?.all === all) return;
    if (last?.state === state && nowMs - last.atMs < EVERY_MS) return;
    this.#written = undefined;
    const { operation, stream } = held.value;
    const report = { ...body, cluster, member, at: timestampOf(clock) } as MoveReport;
    const key = keys.moveReport(operation, stream, cluster);
    const written = await new Transaction(etcd)
      .expect(keys.authority(cluster), authority.revision)
      .expect(keys.move(operation, stream), held.revision)
      .expect(key, BigInt(seen) > BigInt(this.#revision) ? seen : this.#revision)
      .put(key, report)
      .commitAt({ timeoutMs: contract.deadlines.etcdMs });
    // Somebody wrote it, or removed it: what the view says next counts.
    this.#revision = written ?? ABSENT;
    if (written !== undefined) this.#written = { all, state, atMs: nowMs };
  }
}
