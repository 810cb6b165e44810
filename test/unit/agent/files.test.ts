import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BARRIER_NAMES } from '../../../src/agent/follower-name.ts';
import { MemoryFile } from '../../../src/agent/memory.ts';
import {
  overrides,
  renderPasswords,
  renderSyncNames,
  renderUpstream,
  upstreamOf,
} from '../../../src/agent/postgres-config.ts';
import {
  divergence,
  parseTimelineHistory,
  partingPoint,
  segmentAfter,
  segmentBefore,
  stretchBefore,
  timelineOfWalFile,
} from '../../../src/agent/timeline-history.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-memory-'));
});
afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true });
});

describe('an agent’s memory', () => {
  test('survives a restart, as a whole', async () => {
    const path = join(folder, 'memory.json');
    const memory = await MemoryFile.open(path, 'm1');
    await Promise.all([memory.update({ highestTerm: 3 }), memory.update({ incarnation: 'aaaa' })]);
    const again = await MemoryFile.open(path, 'm1');
    expect(again.value).toMatchObject({ highestTerm: 3, incarnation: 'aaaa', building: null });
  });

  test('of another member, or torn, is refused and not overwritten', async () => {
    const path = join(folder, 'memory.json');
    await writeFile(path, '{"member":"m2"}');
    await expect(MemoryFile.open(path, 'm1')).rejects.toMatchObject({ code: 'agent_memory_foreign' });
    await writeFile(path, '{"mem');
    await expect(MemoryFile.open(path, 'm1')).rejects.toMatchObject({ code: 'agent_memory_foreign' });
    expect(await readFile(path, 'utf8')).toBe('{"mem');
  });
});

describe('files that Postgres reads', () => {
  test('say whom a standby follows, and nobody when it is frozen', () => {
    expect(upstreamOf(renderUpstream({ name: 'm1_aaaa', conninfo: `host='x'` }))).toBe('m1_aaaa');
    expect(upstreamOf(renderUpstream(null))).toBeNull();
    expect(upstreamOf(undefined)).toBeNull();
    expect(renderUpstream(null)).toContain(`primary_conninfo = ''\nrestore_command = ''`);
  });

  test('quote what they carry', () => {
    expect(renderUpstream({ name: 'm', conninfo: `host='x'` })).toContain(`primary_conninfo = 'host=''x'''`);
    expect(renderSyncNames(BARRIER_NAMES)).toBe(`synchronous_standby_names = 'ANY 1 ("capstan_barrier")'\n`);
    expect(renderPasswords('a:b\\c')).toBe('*:*:*:capstan_replication:a\\:b\\\\c\n');
  });

  test('any setting in postgresql.auto.conf is noticed', () => {
    expect(overrides('# Do not edit\n\n')).toEqual([]);
    expect(overrides(`# x\nsynchronous_standby_names = ''\n`)).toEqual([`synchronous_standby_names = ''`]);
  });
});

const SWITCHES = [
  { parent: 1, switchLsn: '0/5000' },
  { parent: 2, switchLsn: '0/7000' },
];
const own = (timeline: number, lsn: string, switches = SWITCHES.slice(0, timeline - 1)) => ({
  systemIdentifier: '1',
  timeline,
  lsn,
  switches,
});

describe('timelines', () => {
  const source = {
    systemIdentifier: '1',
    timeline: 3,
    flushedLsn: '0/9000',
    switches: parseTimelineHistory('1\t0/5000\tno recovery target specified\n\n2\t0/7000\tno recovery\n'),
  };

  test('a standby may follow who kept all that it holds', () => {
    expect(divergence(own(1, '0/5000'), source)).toBeUndefined();
    expect(divergence(own(2, '0/6FFF'), source)).toBeUndefined();
    expect(divergence(own(3, '0/9000'), source)).toBeUndefined();
  });

  test('and may not follow who left its timeline earlier, or is another cluster', () => {
    expect(divergence(own(1, '0/5001'), source)).toContain('ahead of the new leader');
    expect(divergence(own(3, '0/A000'), source)).toContain('ahead of the new leader');
    expect(divergence(own(4, '0/1'), source)).toContain('not in the history');
    expect(divergence({ ...own(1, '0/1'), systemIdentifier: '2' }, source)).toContain('another cluster');
  });

  test('nor a timeline that bears the same number and began elsewhere, or of which nothing tells how it began', () => {
    const elsewhere = [{ parent: 1, switchLsn: '0/4FFF' }];
    const another = 'another than the new leader';
    expect(divergence(own(2, '0/4FFF', elsewhere), source)).toContain(another);
    expect(divergence(own(2, '0/6000', elsewhere), source)).toContain(another);
    expect(divergence(own(3, '0/7000', elsewhere), source)).toContain(another);
    expect(divergence(own(3, '0/7000', [...elsewhere, ...SWITCHES.slice(1)]), source)).toContain(another);
    expect(divergence(own(2, '0/6000', [...SWITCHES.slice(0, 1), ...elsewhere]), source)).toContain(another);
    expect(divergence({ ...own(2, '0/6000'), switches: undefined }, source)).toContain('not told');
  });

  test('two logs part where the first of them left their last common timeline', () => {
    const at = (timeline: number, ...switches: typeof SWITCHES) =>
      partingPoint({ timeline, switches }, source);
    const [first, second] = SWITCHES;
    if (first === undefined || second === undefined) throw new Error('two switches');
    expect(at(1)).toEqual({ timeline: 1, lsn: '0/5000' });
    expect(at(2, first)).toEqual({ timeline: 2, lsn: '0/7000' });
    expect(at(2, { parent: 1, switchLsn: '0/4000' })).toEqual({ timeline: 1, lsn: '0/4000' });
    expect(at(3, first, { parent: 2, switchLsn: '0/9000' })).toEqual({ timeline: 2, lsn: '0/7000' });
    expect(at(4, first)).toEqual({ timeline: 1, lsn: '0/5000' });
    expect(at(3, first, second)).toBeUndefined();
    expect(at(2)).toBeUndefined();
  });

  test('the bytes before a position are those of its segment, and the segment before that', () => {
    const size = 16 * 1_024 * 1_024;
    const names = { segment: '0000000100000000', earlier: '00000000000000FF' };
    expect(stretchBefore('1/10', size)).toEqual({ ...names, length: 16 });
    expect(stretchBefore('1/1000000', size)).toEqual({ ...names, length: size });
    expect(stretchBefore('0/1000000', size)).toBeUndefined();
  });

  test('a segment’s name is that of the byte before a position', () => {
    const size = 16 * 1_024 * 1_024;
    expect(segmentBefore('0/1000000', size)).toBe('0000000000000000');
    expect(segmentBefore('0/1000001', size)).toBe('0000000000000001');
    expect(segmentBefore('1/0', size)).toBe('00000000000000FF');
    expect(segmentBefore('0/0', size)).toBeUndefined();
    expect(segmentAfter('0/1000000', size)).toBe('0000000000000001');
    expect(segmentAfter('0/FFFFFF', size)).toBe('0000000000000000');
    expect(timelineOfWalFile('0000000A0000000000000001')).toBe(10);
    expect(timelineOfWalFile('0000000A.history')).toBeUndefined();
  });
});
