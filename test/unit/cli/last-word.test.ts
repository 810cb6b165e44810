import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { lastWordOf } from '../../../src/cli/last-word.ts';

test('the last word of a stream is told apart from an end without one', async () => {
  expect(await lastWordOf(Readable.from(['do', 'ne\n']))).toBe('done');
  expect(await lastWordOf(Readable.from(['not yet', '\ndone']))).toBe('done');
  expect(await lastWordOf(Readable.from([]))).toBe('');
  expect(await lastWordOf(Readable.from(['x'.repeat(100_000), ' done']))).toBe('done');
});

test('of a stream that breaks, what it had said counts', async () => {
  const broken = new PassThrough();
  broken.write('half a word');
  const word = lastWordOf(broken);
  setImmediate(() => broken.destroy(new Error('the writer was killed')));
  expect(await word).toBe('word');
});
