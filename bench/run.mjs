// `npm run bench [decide|cli|switchover|rebalance|history|rebalance-plan|projections|archive|failover …]`: starts a sandbox of its own if one is needed, runs the benchmarks one after the other, takes it down.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const BENCHES = [
  'cli',
  'decide',
  'switchover',
  'rebalance',
  'history',
  'rebalance-plan',
  'archive',
  'projections',
  'failover',
];
/** Only when it is named: it installs Patroni to be measured beside. */
const BY_NAME_ONLY = new Set(['failover']);
/** Need nothing but a file, or make what they need. */
const WITHOUT_SANDBOX = new Set(['history', 'rebalance-plan', 'projections', 'archive', 'failover']);
const here = import.meta.dirname;
const capstan = join(here, '..', 'bin', 'capstan');
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !BENCHES.includes(name));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')} (there are: ${BENCHES.join(', ')})`);
  process.exit(2);
}
const chosen = wanted.length > 0 ? wanted : BENCHES.filter((name) => !BY_NAME_ONLY.has(name));
const needsSandbox = chosen.some((name) => !WITHOUT_SANDBOX.has(name));
const sandbox = `bench-${process.pid}`;
const env = { ...process.env, CAPSTAN_SANDBOX: sandbox };
const EXIT_INTERRUPTED = 130;
let interrupted = false;

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env });
  if (status === null || status === EXIT_INTERRUPTED) interrupted = true;
  return status ?? 1;
}
// Ctrl-C reaches the benchmark too; this one stays to take the sandbox down.
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => {});

let failed = 0;
try {
  failed += run(process.execPath, [join(here, '..', 'scripts', 'build.mjs')]);
  if (needsSandbox) failed += run(capstan, ['sandbox', 'up', '--name', sandbox]);
  if (failed === 0) {
    for (const name of chosen) {
      if (!interrupted) failed += run(process.execPath, [join(here, `${name}.ts`)]);
    }
  }
} finally {
  if (needsSandbox) run(capstan, ['sandbox', 'down', '--name', sandbox]);
}
process.exit(interrupted ? EXIT_INTERRUPTED : failed === 0 ? 0 : 1);
