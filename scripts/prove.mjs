// `npm run prove [word …]`: shows each claim of docs/evidence-claims.json at full size (with words, only the claims whose
// test files contain one), keeps the results in docs/evidence-results.json and writes docs/evidence.md from both. Ends with
// 1 when a claim that was tried was not shown. `--report FILE --at COMMIT` takes a vitest JSON report that was made with
// CAPSTAN_PROVE=1 at that commit in place of running anything: a battery of hours can be run in parts, elsewhere.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const claimsFile = join(root, 'docs', 'evidence-claims.json');
const resultsFile = join(root, 'docs', 'evidence-results.json');
const env = {
  ...process.env,
  CAPSTAN_PROVE: '1',
  CAPSTAN_TEST_DIST: '1',
  PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`,
};

/** @typedef {{ passed: boolean, scale: string | null, seconds: number }} Shown */
/** @typedef {{ claim: string, tests: [file: string, name: string][], elsewhere?: string }} Claim */
/** @typedef {{ passed: boolean, tests: number, scale: string[], seconds: number, commit: string, date: string }} Result */

/** @type {Claim[]} */
const claims = JSON.parse(readFileSync(claimsFile, 'utf8'));
const { values: given, positionals: words } = parseArgs({
  options: { report: { type: 'string' }, at: { type: 'string' } },
  allowPositionals: true,
});
if ((given.report === undefined) !== (given.at === undefined)) {
  process.stderr.write('--report and --at need each other\n');
  process.exit(2);
}
/** @type {Record<string, Result>} By claim; a claim that was reworded or dropped loses its result. */
const results = Object.fromEntries(
  Object.entries(readOr(resultsFile, {})).filter(([claim]) => claims.some((one) => one.claim === claim)),
);

const commit = given.at ?? describeCommit();
const named = claims.filter(
  ({ tests }) =>
    tests.length > 0 &&
    (words.length === 0 || tests.some(([file]) => words.some((word) => file.includes(word)))),
);
const shown =
  given.report === undefined
    ? runTests([...new Set(named.flatMap(({ tests }) => tests.map(([file]) => file)))])
    : readReport(given.report);
// A report of a part says nothing of what it left out.
const wanted =
  given.report === undefined
    ? named
    : named.filter(({ tests }) =>
        tests.every(([file, name]) => (name === '*' ? shown.has(file) : shown.get(file)?.has(name))),
      );
for (const claim of wanted) results[claim.claim] = judge(claim);
writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`);
writeFileSync(join(root, 'docs', 'evidence.md'), page());
spawnSync('oxfmt', [resultsFile], { cwd: root, env });

const failed = wanted.filter(({ claim }) => !results[claim]?.passed);
process.stdout.write(
  `\n${wanted.length - failed.length} of ${wanted.length} claims shown; docs/evidence.md\n`,
);
for (const { claim } of failed) process.stdout.write(`  not shown: ${claim}\n`);
process.exit(failed.length === 0 ? 0 : 1);

function readOr(file, otherwise) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return otherwise;
  }
}

function git(...args) {
  return spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout.trim();
}

/** The commit that is shown, and whether what ran was that commit. */
function describeCommit() {
  const changed = git('status', '--porcelain', '--', 'src', 'test', 'contract.yaml') !== '';
  return `${git('rev-parse', '--short', 'HEAD')}${changed ? ' with changes' : ''}`;
}

/** @returns {Map<string, Map<string, Shown>>} By file, by test name. */
function runTests(files) {
  const scratch = mkdtempSync(join(tmpdir(), 'capstan-prove-'));
  const report = join(scratch, 'report.json');
  try {
    const built = spawnSync('node', [join(root, 'scripts', 'build.mjs')], {
      cwd: root,
      env,
      stdio: 'inherit',
    });
    if (built.status !== 0) throw new Error('the build failed: nothing was shown');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    spawnSync('vitest', ['run', ...reporters, ...files], { cwd: root, env, stdio: 'inherit' });
    return readReport(report);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @returns {Map<string, Map<string, Shown>>} By file, by test name; without what was skipped. */
function readReport(report) {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  return new Map(
    testResults.map(({ name, assertionResults }) => [
      // Wherever the tree stood that it was made in.
      name.slice(name.lastIndexOf('/test/') + 1),
      new Map(
        assertionResults
          .filter(({ status }) => status === 'passed' || status === 'failed')
          .map(({ title, status, duration, meta }) => [
            title,
            { passed: status === 'passed', scale: meta?.scale ?? null, seconds: (duration ?? 0) / 1000 },
          ]),
      ),
    ]),
  );
}

/** A claim is shown when each of its tests ran and passed; a test that is missing shows nothing. */
function judge({ tests }) {
  const found = tests.flatMap(([file, name]) => {
    const inFile = shown.get(file);
    if (name === '*') return inFile === undefined || inFile.size === 0 ? [undefined] : [...inFile.values()];
    return [inFile?.get(name)];
  });
  return {
    passed: found.every((one) => one?.passed === true),
    tests: found.length,
    scale: found.flatMap((one) => one?.scale ?? []),
    seconds: Math.round(found.reduce((sum, one) => sum + (one?.seconds ?? 0), 0)),
    commit,
    date: new Date().toISOString().slice(0, 10),
  };
}

function cell(text) {
  return text.replaceAll('|', String.raw`\|`);
}

function page() {
  const rows = claims.map(({ claim, tests, elsewhere }) => {
    const result = results[claim];
    const by = tests.map(([file, name]) => `\`${file}\`${name === '*' ? '' : `: ${name}`}`).join('<br>');
    const last = result?.passed
      ? [
          `shown at ${result.commit}, ${result.date}, ${result.tests} test(s) in ${result.seconds} s`,
          ...result.scale,
        ]
      : [
          result === undefined
            ? `not shown${elsewhere === undefined ? '' : ` here: \`${elsewhere}\``}`
            : `**not shown** at ${result.commit}, ${result.date}`,
        ];
    return `| ${cell(claim)} | ${cell(by)} | ${cell(last.join('<br>'))} |`;
  });
  return `# What is shown, and by what

Every claim about what Capstan never does, with the test that can falsify it and its last result at full size. Written by
\`npm run prove\`; \`npm test\` runs the same tests at a smaller size. Claims: [evidence-claims.json](evidence-claims.json).

| claim | test | last full-size result |
| --- | --- | --- |
${rows.join('\n')}
`;
}
