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
  fails?: Error;
}

export interface ScriptedSides extends MoveSides {
  readonly script: SidesScript;
  /** The streams that were compared in full. */
  readonly verified: number[];
}

export function scriptedSides(movers: ScriptedMovers, script: SidesScript = {}): ScriptedSides {
  const verified: number[] = [];
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
    async verify({ record, onProgress }) {
      verified.push(record.stream);
      await onProgress({
        shard: record.shards[0] ?? 0,
        table: 'reservation',
        after: ['a'],
        rows: '100',
        laterRows: '0',
        positions: {},
        startedAt: new Date().toISOString(),
      });
      await script.hold;
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
