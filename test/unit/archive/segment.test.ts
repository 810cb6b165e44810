import {
  array,
  assert,
  asyncProperty,
  bigInt,
  constant,
  constantFrom,
  option,
  record,
  string,
} from 'fast-check';
import { expect, test } from 'vitest';
import { decodeSegment, encodeSegment, isProblem } from '../../../src/archive/segment.ts';
import { CHAIN_START, LOG_EVENTS, type LogEntry } from '../../../src/domain/log-entry.ts';
import { PLACE } from '../../support/archive.ts';
import { LogModel, lineageRow, someCommands } from '../../support/log-model.ts';

const text = string({ unit: 'binary', maxLength: 40 }).filter((value) => value.isWellFormed());
const whole = bigInt({ min: 0n, max: 10n ** 17n }).map(String);
const someEntry = record({
  event: constantFrom(...LOG_EVENTS),
  issuer: text,
  desk: text,
  token: text,
  reservation: option(text),
  amount: option(whole),
  reserved_after: option(whole),
  limit_after: option(whole),
  reason: option(text),
  decided_at: constant('2026-11-30T23:59:59.123456Z'),
});
const entriesFrom = (first: bigint) =>
  array(someEntry, { minLength: 1, maxLength: 40 }).map((entries): LogEntry[] =>
    entries.map((entry, index) => ({
      ...entry,
      position: String(first + BigInt(index)),
      generation: 1,
      term: 1,
    })),
  );
const lineage = [lineageRow(1, 1, 1)];
const base = { place: PLACE, chainBefore: CHAIN_START, lineage };

test('whatever entries hold, a segment gives them back, and the same entries make the same bytes', async () => {
  await assert(
    asyncProperty(
      bigInt({ min: 1n, max: 2n ** 62n }).chain(entriesFrom),
      constantFrom('zstd' as const, 'gzip' as const),
      async (entries, compression) => {
        const { name, bytes, chain } = await encodeSegment({ ...base, entries, compression });
        const decoded = await decodeSegment({ place: PLACE, name, bytes });
        if (isProblem(decoded)) throw new Error(decoded.why);
        expect(decoded.entries).toEqual(entries);
        expect(decoded.chains.at(-1)).toEqual(chain);
        expect((await encodeSegment({ ...base, entries, compression })).bytes.equals(bytes)).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
}, 60_000);

const { entries } = new LogModel().run(someCommands(60));

test.each(['zstd', 'gzip'] as const)(
  'no byte of a %s segment can be changed unseen',
  async (compression) => {
    const { name, bytes } = await encodeSegment({ ...base, entries: entries.slice(0, 12), compression });
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x04;
      const decoded = await decodeSegment({ place: PLACE, name, bytes: changed });
      expect(isProblem(decoded), `byte ${at} of ${bytes.length}`).toBe(true);
    }
  },
  60_000,
);

test('a segment that was cut off or added to is damaged', async () => {
  const { name, bytes } = await encodeSegment({ ...base, entries, compression: 'zstd' });
  for (let length = 0; length < bytes.length; length += 7) {
    expect(await decodeSegment({ place: PLACE, name, bytes: bytes.subarray(0, length) })).toMatchObject({
      problem: 'segment_damaged',
    });
  }
  expect(
    await decodeSegment({ place: PLACE, name, bytes: Buffer.concat([bytes, Buffer.from('x')]) }),
  ).toMatchObject({
    problem: 'segment_damaged',
    why: expect.stringContaining('were written') as string,
  });
});

test('a segment at another place or under another name is misplaced', async () => {
  const { name, bytes } = await encodeSegment({ ...base, entries, compression: 'zstd' });
  for (const place of [
    { ...PLACE, shard: 185 },
    { ...PLACE, incarnation: 'beef' },
    { ...PLACE, estate: 'elsewhere' },
  ])
    expect(await decodeSegment({ place, name, bytes })).toMatchObject({ problem: 'segment_misplaced' });
  const other = await encodeSegment({ ...base, entries: entries.slice(0, 59), compression: 'zstd' });
  expect(await decodeSegment({ place: PLACE, name: other.name, bytes })).toMatchObject({
    problem: 'segment_misplaced',
  });
});

test('entries in another order, or of another authority than the lineage says, are found though every hash is right', async () => {
  const swapped = [
    ...entries.slice(0, 10),
    ...entries.slice(11, 12),
    ...entries.slice(10, 11),
    ...entries.slice(12),
  ];
  const reordered = await encodeSegment({ ...base, entries: swapped, compression: 'zstd' });
  expect(await decodeSegment({ place: PLACE, ...reordered })).toMatchObject({
    problem: 'chain_broken',
    position: '12',
  });
  const gap = entries.filter(({ position }) => position !== '30');
  const withGap = await encodeSegment({ ...base, entries: gap, compression: 'zstd' });
  expect(await decodeSegment({ place: PLACE, ...withGap })).toMatchObject({
    problem: 'chain_broken',
    position: '31',
  });
  const later = [...lineage, lineageRow(1, 2, 40)];
  const foreign = await encodeSegment({ ...base, lineage: later, entries, compression: 'zstd' });
  expect(await decodeSegment({ place: PLACE, ...foreign })).toMatchObject({
    problem: 'lineage_broken',
    position: '40',
  });
});
