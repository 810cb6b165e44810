import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const MODULE = new URL('../../../src/agent/agent-lock.ts', import.meta.url).href;
/** Takes the lock, says how that went, and lives on until its input ends. */
const HOLD = `
  const { lockAgent } = await import(${JSON.stringify(MODULE)});
  try {
    await lockAgent(process.argv[1]);
    console.log('held');
    process.stdin.resume();
  } catch (error) {
    console.log(error.code + ' ' + error.data?.pid);
  }`;

let path: string;
let folder: string;
let children: ChildProcess[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capstan-lock-'));
  path = join(folder, 'agent.lock');
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map(kill));
  await rm(folder, { recursive: true });
});

async function hold(): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLD, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: chunk.toString().trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

test('a second agent is refused, also while the first is stopped, and the refusal names it', async () => {
  const first = await hold();
  expect(first.said).toBe('held');
  expect((await hold()).said).toBe(`agent_already_runs ${first.child.pid}`);
  first.child.kill('SIGSTOP');
  expect((await hold()).said).toBe(`agent_already_runs ${first.child.pid}`);
});

test('of several that find a dead holder, one takes over, and nothing is left beside the lock', async () => {
  await kill((await hold()).child);
  const said = (await Promise.all([hold(), hold(), hold(), hold()])).map((one) => one.said);
  expect(said.filter((text) => text === 'held')).toHaveLength(1);
  expect(said.filter((text) => text.startsWith('agent_already_runs '))).toHaveLength(3);
  expect(await readdir(folder)).toEqual(['agent.lock']);
});

test('a recycled pid and a torn file hold nothing', async () => {
  const { child } = await hold();
  const held = JSON.parse(await readFile(path, 'utf8')) as { pid: number };
  expect(held.pid).toBe(child.pid);
  for (const text of [JSON.stringify({ ...held, startedAt: 'before/1' }), '']) {
    await writeFile(path, text);
    expect((await hold()).said).toBe('held');
  }
});
