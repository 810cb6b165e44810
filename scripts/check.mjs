// One way to check everything: `npm test`. Runs on the machine's own Node without node_modules; all checks run on the
// pinned Node. Every check runs even when an earlier one failed; the last line reads `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
// The tests drive the build that was just made, as a user would.
const env = { ...process.env, CAPSTAN_TEST_DIST: '1', PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` };
const scratch = mkdtempSync(join(tmpdir(), 'capstan-check-'));

const STATIC_CHECKS = [
  ['format', ['oxfmt', '--check', '.']],
  ['lint', ['oxlint', '--type-aware', '--deny-warnings']],
  ['types', ['tsc', '--noEmit']],
  ['layering', ['depcruise', 'src', '--config', '.dependency-cruiser.cjs', '--output-type', 'err']],
  ['unused code', ['knip', '--no-progress']],
  ['build', ['node', 'scripts/build.mjs']],
];
const TEST_PROJECTS = ['unit', 'integration', 'e2e'];

const run = (command, args) =>
  spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;

/** @type {{ name: string, passed: number, failed: number, seconds: number }[]} */
const results = [];

function record(name, count) {
  const started = Date.now();
  process.stdout.write(`\n== ${name}\n`);
  results.push({ name, ...count(), seconds: Math.round((Date.now() - started) / 100) / 10 });
}

function runTests(project) {
  const report = join(scratch, `${project}.json`);
  const args = [
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  const status = run('vitest', args);
  try {
    const { numPassedTests: passed, numFailedTests: failed } = JSON.parse(readFileSync(report, 'utf8'));
    return { passed, failed: status === 0 ? failed : Math.max(1, failed) };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

try {
  if (run(process.execPath, [join(root, 'scripts', 'setup.mjs')]) !== 0) {
    process.stdout.write('\nset-up failed: nothing was checked\n0 passed, 1 failed\n');
    process.exit(1);
  }
  const only = process.argv.slice(2);
  const wanted = (name) => only.length === 0 || only.includes(name);
  for (const [name, [command, ...args]] of STATIC_CHECKS) {
    if (!wanted(name)) continue;
    record(name, () => (run(command, args) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }));
  }
  for (const project of TEST_PROJECTS)
    if (wanted(project)) record(`${project} tests`, () => runTests(project));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

process.stdout.write('\n');
for (const { name, passed, failed, seconds } of results) {
  process.stdout.write(
    `${failed === 0 ? 'ok  ' : 'FAIL'}  ${name}: ${passed} passed, ${failed} failed (${seconds} s)\n`,
  );
}
const total = (key) => results.reduce((sum, result) => sum + result[key], 0);
process.stdout.write(`${total('passed')} passed, ${total('failed')} failed\n`);
process.exit(total('failed') === 0 ? 0 : 1);
