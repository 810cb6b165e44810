import { expect, test } from 'vitest';
import { shardOf } from '../../../src/domain/shard.ts';
import { parseIssuers, readIssuersFile, shippedIssuersFile } from '../../../src/sandbox/issuers.ts';

test('the shipped seed has at least 300 issuers, MUNI-77 on shard 184 among them', async () => {
  const issuers = await readIssuersFile(shippedIssuersFile());
  expect(issuers.length).toBeGreaterThanOrEqual(300);
  expect(issuers.find(({ issuerId }) => issuerId === 'MUNI-77')?.limit).toBe('1000000.00');
  expect(shardOf('MUNI-77', 480)).toBe(184);
});

test('a seed file may have blank lines, CRLF and a byte order mark', () => {
  expect(parseIssuers('\uFEFFissuer_id,limit\r\nA, 10.5\r\n\r\nB,1000000000000000\r\n', 'x.csv')).toEqual([
    { issuerId: 'A', limit: '10.50' },
    { issuerId: 'B', limit: '1000000000000000.00' },
  ]);
});

test.each([
  ['issuer,limit\nA,1', 'x.csv: line 1 must read issuer_id,limit'],
  ['issuer_id,limit\nA,1.234', 'x.csv: line 2: limit must be a decimal'],
  ['issuer_id,limit\nA B,1', 'x.csv: line 2: issuer_id must be'],
  ['issuer_id,limit\nA,1\nA,2', 'x.csv: line 3: A is listed twice'],
  ['issuer_id,limit\nA,1,2', 'x.csv: line 2: limit'],
  ['issuer_id,limit\n', 'x.csv: it lists no issuer'],
])('a bad seed file is refused with its line: %j', (text, message) => {
  expect(() => parseIssuers(text, 'x.csv')).toThrow(message);
});
