/**
 * The checker on a good history of a million operations (two million lines), against reading the same file and parsing
 * its JSON in bare Node, in the same run. Needs no sandbox.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Checker } from '../src/drills/checker/check.ts';
import { readHistoryFile } from '../src/drills/history/read.ts';
import { ModelHistory } from '../test/support/model-history.ts';
import { machineFacts } from './support/machine.ts';
import { formatRatios, ratio } from './support/stats.ts';

const OPERATIONS = 1_000_000;
const SECONDS_MAX = 60;
const LINES_A_WRITE = 2_000;

/** Writes it line by line: the whole is several hundred megabytes. Answers how many lines it has. */
function generate(file: string): number {
  const history = new ModelHistory({
    seed: 1,
    operations: OPERATIONS,
    issuers: 2_000,
    shards: 64,
    processes: 128,
    limit: 5_000_000,
    unknown: 0.01,
    refused: 0.01,
    retry: 0.05,
    release: 0.3,
    limits: 0.01,
    read: 0.02,
    resolve: 0.02,
    failover: 0.000_01,
    readBack: false,
  });
  const descriptor = openSync(file, 'w');
  let buffer: string[] = [];
  let lines = 0;
  for (const line of history.lines()) {
    lines += 1;
    buffer.push(JSON.stringify(line));
    if (buffer.length < LINES_A_WRITE) continue;
    writeSync(descriptor, `${buffer.join('\n')}\n`);
    buffer = [];
  }
  writeSync(descriptor, buffer.join('\n'));
  closeSync(descriptor);
  return lines;
}

async function parseOnly(file: string): Promise<number> {
  const started = performance.now();
  let kinds = 0;
  for await (const line of createInterface({ input: createReadStream(file, { highWaterMark: 1 << 20 }) })) {
    if ((JSON.parse(line) as { kind?: string }).kind !== undefined) kinds += 1;
  }
  if (kinds === 0) throw new Error('nothing was read');
  return performance.now() - started;
}

async function judge(file: string): Promise<number> {
  const started = performance.now();
  const checker = new Checker();
  await readHistoryFile(file, (line) => checker.add(line));
  const { held, operations, violations } = checker.verdict();
  if (!held) throw new Error(`a good history was rejected: ${violations[0]?.message}`);
  if (operations < OPERATIONS) throw new Error(`only ${operations} operations were judged`);
  return performance.now() - started;
}

const gigabytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(2);

async function run(file: string): Promise<void> {
  // In a process of its own: what the generator remembers is not the checker's memory.
  const lines = execFileSync(process.execPath, [import.meta.filename, file], { encoding: 'utf8' }).trim();
  const parsedMs = await parseOnly(file);
  const before = process.cpuUsage();
  const judgedMs = await judge(file);
  const { user, system } = process.cpuUsage(before);
  console.log(machineFacts());
  console.log(
    `${lines} lines, ${gigabytes(statSync(file).size)} GiB: judged in ${(judgedMs / 1_000).toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of processor (goal ${SECONDS_MAX} s), parsed alone in ${(parsedMs / 1_000).toFixed(1)} s; peak memory ${gigabytes(process.resourceUsage().maxRSS * 1_024)} GiB`,
  );
  console.log(
    formatRatios([ratio('check a history / parse its JSON', { of: [judgedMs], to: [parsedMs], atMost: 6 })]),
  );
  if (judgedMs > SECONDS_MAX * 1_000) process.exitCode = 1;
}

const [generated] = process.argv.slice(2);
if (generated !== undefined) {
  console.log(generate(generated));
} else {
  const folder = mkdtempSync(join(tmpdir(), 'capstan-bench-'));
  try {
    await run(join(folder, 'history.jsonl'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
