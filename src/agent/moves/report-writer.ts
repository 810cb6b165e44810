import { timestampOf } from '../../clock/clock.ts';
import { Transaction, type Versioned } from '../../controlplane/store.ts';
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

  constructor(context: MemberContext) {
    this.#context = context;
  }

  /** What was written under an earlier authority, or may not have been, is written again. */
  forget(): void {
    this.#written = undefined;
  }

  /** Compares the authority and the stream: nothing is said of a state that has passed. Throws what etcd throws. */
  async write(
    body: ReportBody,
    { authority, held }: { authority: Versioned<AuthorityRecord>; held: Versioned<MoveRecord> },
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
    const written = await new Transaction(etcd)
      .expect(keys.authority(cluster), authority.revision)
      .expect(keys.move(operation, stream), held.revision)
      .put(keys.moveReport(operation, stream, cluster), report)
      .commit({ timeoutMs: contract.deadlines.etcdMs, repeatable: true });
    if (written) this.#written = { all, state, atMs: nowMs };
  }
}
