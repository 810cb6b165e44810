import { expect, test } from 'vitest';
import { archive } from '../../../src/config/archive-config.ts';

const secret = { file: 'x' };
const s3 = {
  endpoint: 'https://s3.example.com',
  bucket: 'harbor-point',
  accessKey: secret,
  secretKey: secret,
};
const problemsOf = (value: unknown): string[] => {
  const { error } = archive.safeParse(value);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
};

test('a folder or a store that speaks S3 is an archive, with what is usual where nothing is said', () => {
  expect(archive.parse({ folder: 'archive' })).toEqual({
    folder: 'archive',
    segmentEntries: 10_000,
    closeAfter: 3_600_000,
    compression: 'zstd',
  });
  expect(archive.parse({ s3 }).s3).toEqual({ ...s3, prefix: '', region: 'us-east-1' });
});

test('what can not be an archive is refused with its field', () => {
  expect(problemsOf({})).toEqual([': needs either `folder` or `s3`, and not both']);
  expect(problemsOf({ folder: 'x', s3 })).toEqual([': needs either `folder` or `s3`, and not both']);
  expect(problemsOf({ folder: 'x', closeAfter: '5s' })).toEqual([
    'closeAfter: "5s" is not a duration of at least 1m',
  ]);
  expect(problemsOf({ s3: { ...s3, endpoint: 'https://me:secret@host' } })[0]).toMatch(
    /^s3\.endpoint: must be no more/,
  );
  expect(problemsOf({ s3: { ...s3, prefix: '/a//b' } })[0]).toMatch(/^s3\.prefix: must be plain names/);
  expect(problemsOf({ s3: { ...s3, secretKey: 'in clear' } })[0]).toMatch(/^s3\.secretKey/);
});
