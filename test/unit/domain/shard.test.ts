import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { shardOf } from '../../../src/domain/shard.ts';

test('MUNI-77 is shard 184 of 480', () => {
  expect(shardOf('MUNI-77', 480)).toBe(184);
});

test('an issuer’s shard is the first four bytes of its SHA-256, big-endian, modulo the shard count', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 65_536 }), (issuer, count) => {
      const hex = createHash('sha256').update(Buffer.from(issuer, 'utf8')).digest('hex').slice(0, 8);
      const shard = shardOf(issuer, count);
      expect(shard).toBe(Number(BigInt(`0x${hex}`) % BigInt(count)));
      expect(shard).toBeGreaterThanOrEqual(0);
      expect(shard).toBeLessThan(count);
    }),
  );
});

test('issuers spread evenly: of 48,000 none of 480 shards has less than half or more than double its part', () => {
  const counts = new Map<number, number>();
  for (let n = 0; n < 48_000; n += 1) {
    const shard = shardOf(`ISSUER-${n}`, 480);
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  expect(counts.size).toBe(480);
  expect(Math.min(...counts.values())).toBeGreaterThan(50);
  expect(Math.max(...counts.values())).toBeLessThan(200);
});
