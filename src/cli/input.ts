import { createReadStream } from 'node:fs';

/** The bytes of a file, or of stdin for the explicit `-` (rule 11 of docs/cli.md). Errors come when it is read. */
export const openInput = (argument: string): AsyncIterable<Uint8Array | string> =>
  argument === '-' ? process.stdin : createReadStream(argument, { highWaterMark: 1 << 20 });
