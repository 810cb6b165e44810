import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FolderStore } from '../../src/archive/folder-store.ts';
import { readArchive } from '../../src/archive/read-archive.ts';
import { verifyShard } from '../../src/archive/verify-shard.ts';
import { archiveNow, LogHolder, PLACE } from '../support/archive.ts';
import { LogModel, someCommands } from '../support/log-model.ts';

const MAIN = fileURLToPath(new URL('../support/archive-main.ts', import.meta.url));
const log = new LogModel().run(someCommands(230)).entries;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-archive-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function killedAt(at: number, when: string): Promise<void> {
  const child = spawn(process.execPath, [MAIN, folder, String(at), when], { stdio: 'inherit' });
  const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  expect(signal).toBe('SIGKILL');
}

// Segment, head, segment, head: five of each.
it.each(['before', 'within', 'after'])(
  'an archiver that is killed %s any of its objects leaves a whole archive, and the next one goes on',
  async (when) => {
    for (const at of [1, 2, 3, 10]) {
      await rm(folder, { recursive: true, force: true });
      await killedAt(at, when);
      const store = new FolderStore(folder);
      const { problems, position } = await verifyShard({ store, place: PLACE });
      const held = Number(position ?? 0);
      const heads = Math.floor((when === 'after' ? at : at - 1) / 2);
      expect(problems.filter(({ problem }) => problem !== 'head_missing')).toEqual([]);
      // Killed within, it may have got its name.
      expect([
        Math.min(230, heads * 50),
        ...(when === 'within' ? [Math.min(230, (heads + 1) * 50)] : []),
      ]).toContain(held);
      expect(await archiveNow(store, new LogHolder(log))).toMatchObject({ from: String(held), to: '230' });
      expect(await verifyShard({ store, place: PLACE })).toMatchObject({
        position: '230',
        problems: [],
        strays: [],
      });
      const entries = [];
      for await (const page of (await readArchive({ store, place: PLACE }))?.pages ?? [])
        entries.push(...page);
      expect(entries).toEqual(log);
    }
  },
  60_000,
);
