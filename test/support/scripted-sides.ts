/** What a coordinator asks of two Postgres, scripted. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Compared, MoveSides } from '../../src/controlplane/rebalance/ports.ts';
import type { MoveDifference, MoveRecord } from '../../src/domain/move-records.ts';
import type { ScriptedMovers } from './scripted-movers.ts';

export interface SidesScript {
  /** Found by every comparison. */
  differences?: readonly MoveDifference[];
  /** Found only at the seal. */
  differencesAtSeal?: readonly MoveDifference[];
  /** What the comparison says of when it was made. */
  at?: () => string;
  /** How long the comparison at the seal takes. */
  sealedMs?: number;
  /** Held until it resolves. */
  hold?: Promise<unknown>;
  fails?: Error | undefined;
}

export interface ScriptedSides extends MoveSides {
  readonly script: SidesScript;
  /** The streams that were compared in full. */
  readonly verified: number[];
  /** From where each of them went on; null: from the start. */
  readonly from: (string | null)[];
}

export function scriptedSides(movers: ScriptedMovers, script: SidesScript = {}): ScriptedSides {
  const verified: number[] = [];
  const from: (string | null)[] = [];
  const compared = (record: MoveRecord, differences: readonly MoveDifference[]): Compared => ({
    verification: {
      positions: movers.positions(record),
      rows: '300',
      laterRows: '0',
      at: script.at?.() ?? new Date().toISOString(),
    },
    differences,
  });
  return {
    script,
    verified,
    from,
    async verify({ record, onProgress, signal }) {
      verified.push(record.stream);
      from.push(record.cursor?.table ?? null);
      await onProgress({
        shard: record.shards[0] ?? 0,
        table: 'reservation',
        after: ['a'],
        rows: '100',
        laterRows: '0',
        positions: {},
        startedAt: new Date().toISOString(),
      });
      const over = Promise.withResolvers<void>();
      const abort = () => over.reject(new Error('aborted'));
      signal?.addEventListener('abort', abort);
      if (signal?.aborted === true) abort();
      over.promise.catch(() => undefined);
      await Promise.race([script.hold, over.promise]);
      if (script.fails !== undefined) throw script.fails;
      return compared(record, script.differences ?? []);
    },
    async verifySince({ record, sealed, signal }) {
      if (sealed && script.sealedMs !== undefined)
        await delay(script.sealedMs, undefined, signal === undefined ? {} : { signal });
      return compared(record, (sealed ? script.differencesAtSeal : undefined) ?? script.differences ?? []);
    },
    close: () => Promise.resolve(),
  };
}

export const DIFFERENCE: MoveDifference = {
  shard: 0,
  table: 'reservation',
  key: ['r-1'],
  column: 'amount',
  owner: '5',
  other: '6',
};
