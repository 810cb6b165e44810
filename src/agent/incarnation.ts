import { randomBytes } from 'node:crypto';

/** A new data directory's name, for ever: hex, short enough for an `application_name` beside the member's. */
export const newIncarnation = (): string => randomBytes(6).toString('hex');
