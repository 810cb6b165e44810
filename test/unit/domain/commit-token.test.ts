import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatCommitToken, parseCommitToken } from '../../../src/domain/commit-token.ts';

const commitToken = fc.record({
  shard: fc.integer({ min: 0, max: 999_999_999 }),
  position: fc.bigInt({ min: 1n, max: 9_223_372_036_854_775_807n }),
  generation: fc.integer({ min: 1, max: 999_999_999 }),
  term: fc.integer({ min: 1, max: 999_999_999 }),
});

test('a commit token reads shard184@982441~7.3', () => {
  const token = { shard: 184, position: 982_441n, generation: 7, term: 3 };
  expect(formatCommitToken(token)).toBe('shard184@982441~7.3');
});

test('every commit token is read back as it was written', () => {
  fc.assert(
    fc.property(commitToken, (token) => {
      expect(parseCommitToken(formatCommitToken(token))).toEqual(token);
    }),
  );
});

test('two different decisions never share a commit token', () => {
  fc.assert(
    fc.property(commitToken, commitToken, (one, other) => {
      const same =
        one.shard === other.shard &&
        one.position === other.position &&
        one.generation === other.generation &&
        one.term === other.term;
      expect(formatCommitToken(one) === formatCommitToken(other)).toBe(same);
    }),
  );
});

/** What is read of a text, written again; or the code under which it is refused. */
function spelledOr(text: string): unknown {
  try {
    return formatCommitToken(parseCommitToken(text));
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

test('one spelling only: what is read is what would be written, and anything else is refused', () => {
  const nearly = fc.stringMatching(/^ ?shard0?\d{1,3}@0?\d{1,3}[~-]0?\d{1,2}\.?0?\d{1,2}$/);
  fc.assert(
    fc.property(fc.oneof(nearly, fc.string()), (text) => {
      expect([text, 'commit_token_invalid']).toContain(spelledOr(text));
    }),
    { numRuns: 1_000 },
  );
});
