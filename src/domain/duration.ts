const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PATTERN = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/;

/** `250ms`, `1.5s`, `10m`, `2h`, `7d` -> milliseconds; undefined for any other spelling. */
export function parseDurationMs(text: string): number | undefined {
  const match = PATTERN.exec(text.trim());
  const [, amount, unit] = match ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  const factor = UNIT_MS[unit];
  return factor === undefined ? undefined : Math.round(Number(amount) * factor);
}

/** A short reading for people: `820 ms`, `4.2 s`, `3 m 05 s`, `2 h 10 m`. */
export function formatDurationMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, '0')} s`;
  return `${Math.floor(seconds / 3_600)} h ${String(Math.floor((seconds % 3_600) / 60)).padStart(2, '0')} m`;
}
