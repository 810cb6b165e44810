import type { MoveRecord } from '../../domain/move-records.ts';
import { assertNever } from '../../domain/errors.ts';

/** What a person types next for a stream; null: it goes on by itself, or somebody drives it. */
export function nextCommand(
  record: MoveRecord,
  about: {
    /** The operation's phase: whatever isn't `standing` is being driven, or resumed. */
    readonly goal: string;
    readonly verifyMaxAgeMs: number;
    /** Wall clock. */
    readonly nowMs: number;
  },
): string | null {
  const { operation: id, phase, owner, from, paused } = record;
  if (paused) return `capstan rebalance unpause ${id}`;
  if (about.goal !== 'standing') return null;
  switch (phase) {
    case 'queued':
    case 'copy':
    case 'seal':
    case 'turn':
    case 'clean':
      return `capstan operation resume ${id}`;
    case 'follow':
      if (owner !== from) return `capstan rebalance complete ${id}`;
      return isVerified(record, about) ? `capstan rebalance cutover ${id}` : `capstan rebalance verify ${id}`;
    case 'parted':
      return owner === from ? `capstan operation resume ${id}` : `capstan rebalance complete ${id}`;
    case 'done':
      return null;
    default:
      return assertNever(phase);
  }
}

const isVerified = (
  { verification, differences }: MoveRecord,
  { verifyMaxAgeMs, nowMs }: { readonly verifyMaxAgeMs: number; readonly nowMs: number },
): boolean =>
  verification !== null && differences.length === 0 && nowMs - Date.parse(verification.at) <= verifyMaxAgeMs;
