import type { Clock } from '../clock/clock.ts';

/** A new data directory's name, for ever: hex, short enough for an `application_name` beside the member's. */
export const newIncarnation = (clock: Clock): string => clock.hex(6);
