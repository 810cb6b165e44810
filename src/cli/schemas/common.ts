import { z } from 'zod';

export const name = z.string();
export const time = z.string().describe('ISO 8601, UTC.');
export const count = z.int().min(0);
export const ms = z.number().describe('Milliseconds.');
export const yes = z.boolean();
export const lsn = z.string().describe('A write-ahead log position, such as 0/3A4F60.');
export const position = z.string().describe('A position in a shard’s log: a whole number as text.');
export const changed = z.boolean().describe('False: it already was as asked.');
