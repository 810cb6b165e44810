import type { Clock } from '../clock/clock.ts';

/**
 * The clock that a right is counted on, in milliseconds: the host's boot clock, which the fence in Postgres reads as well.
 * It goes on while a process is stopped and while the host sleeps, and no one steps it. Where there is none (macOS) the
 * process's monotonic clock stands in.
 */
export const leaseClockMs = (clock: Clock): number => clock.bootMs() ?? clock.monotonicMs();
