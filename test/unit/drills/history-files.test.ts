import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readHistory, readHistoryFile } from '../../../src/drills/history/read.ts';
import { FileRecorder } from '../../../src/drills/history/recorder.ts';
import type { HistoryLine } from '../../../src/drills/history/types.ts';
import { modelHistory } from '../../support/model-history.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'capstan-history-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function* chunks(text: string, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text, 'utf8');
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}
async function read(text: string): Promise<HistoryLine[]> {
  const lines: HistoryLine[] = [];
  await readHistory(chunks(text), (line) => lines.push(line));
  return lines;
}
const MINIMAL = {
  i: 1,
  t: 0.5,
  process: 'p1',
  kind: 'ok',
  action: 'reserve',
  issuer: 'ACME',
  token: 'tok-1',
  notional: 10.5,
  result: { outcome: 'confirmed', position: 3, reserved_after: '10.50', commit_token: 'shard2@3~1.1' },
  via: 'zürich',
  as_of: null,
};

test('a history is read as it was written, however its bytes are cut', async () => {
  const plan = {
    seed: 3,
    operations: 50,
    issuers: 2,
    shards: 2,
    processes: 3,
    limit: 900,
    read: 0.3,
    loss: 2,
  };
  const lines = modelHistory({ ...plan, retry: 0.2 });
  expect(await read(lines.map((line) => JSON.stringify(line)).join('\n'))).toEqual(lines);
});

test('somebody else’s few fields are enough: numbers are taken, what is missing is null, what is strange is dropped', async () => {
  const [line] = await read(`${JSON.stringify({ ...MINIMAL, extra: true })}\n\n`);
  expect(line).toMatchObject({ notional: '10.5', via: 'zürich', desk: null, http: null });
  expect(line).toMatchObject({ result: { position: '3', remaining: null, replayed: null } });
  expect(line).not.toHaveProperty('extra');
});

describe('a malformed line is refused with its number, its field and the fix', () => {
  const changed = (change: object): string => `\n${JSON.stringify({ ...MINIMAL, ...change })}`;
  test.each<[string, string, RegExp]>([
    ['no JSON', '\n{"i":', /^line 2 of the history is not JSON/],
    ['no object', '[]', /^line 1 of the history is not an object/],
    ['no number', changed({ i: undefined }), /^line 2 .*: i is missing/],
    ['an unknown kind', changed({ kind: 'maybe' }), /line 2 .*kind is "maybe"/],
    ['an unknown action', changed({ action: 'steal' }), /action is "steal"/],
    ['no outcome', changed({ result: null }), /result is null/],
    ['an amount of three places', changed({ notional: '1.234' }), /notional is "1.234"/],
    [
      'a position beyond 2^53',
      changed({ result: { ...MINIMAL.result, position: '9999999999999999' } }),
      /position is/,
    ],
    [
      'a token that is none',
      changed({ result: { ...MINIMAL.result, commit_token: '2@3' } }),
      /commit_token is "2@3"/,
    ],
    ['a number twice', `${JSON.stringify(MINIMAL)}${changed({})}`, /line 2 .*i: 1 does not rise/],
    [
      'a clock that goes back',
      `${JSON.stringify(MINIMAL)}${changed({ i: 2, t: 0 })}`,
      /t: 0 falls after 0.5/,
    ],
  ])('%s', async (_, text, message) => {
    const failure = await read(text).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'history_invalid', exit: 2, next: expect.any(String) });
    expect(failure).toHaveProperty('message', expect.stringMatching(message));
  });
});

test('a file that is not there is unreadable, not invalid', async () => {
  const reading = readHistoryFile(join(folder, 'none'), () => undefined);
  await expect(reading).rejects.toMatchObject({ code: 'history_unreadable', exit: 2 });
});

test('a recorder numbers and times lines in the order in which it gets them, past its buffer', async () => {
  let clock = 5_000;
  const recorder = new FileRecorder(join(folder, 'recorded.jsonl'), { clock: () => (clock += 0.25) });
  const count = 5_000;
  for (let n = 0; n < count; n += 1) {
    recorder.record({ kind: 'base', shard: n, position: String(n) });
  }
  expect(readFileSync(recorder.file).length).toBeGreaterThan(0);
  recorder.close();
  recorder.close();
  const lines: HistoryLine[] = [];
  await readHistoryFile(recorder.file, (line) => lines.push(line));
  expect(lines.map(({ i }) => i)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
  expect(lines.map((line) => ('shard' in line ? line.shard : -1))).toEqual(
    Array.from({ length: count }, (_, n) => n),
  );
  expect(lines[1]?.t).toBe(0.5);
  expect(() => recorder.record({ kind: 'base', shard: 1, position: '1' })).toThrow(/closed/);
});

test('a recorder that can not write says so', () => {
  expect(() => new FileRecorder(join(folder, 'no', 'such', 'folder'))).toThrow(
    expect.objectContaining({ code: 'history_unwritable', exit: 2 }),
  );
});
