// `npm run bench [decide|cli …]`: starts a sandbox of its own, runs the benchmarks one after the other, takes it down.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const BENCHES = ['cli', 'decide'];
const here = import.meta.dirname;
const capstan = join(here, '..', 'bin', 'capstan');
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !BENCHES.includes(name));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')} (there are: ${BENCHES.join(', ')})`);
  process.exit(2);
}
const sandbox = `bench-${process.pid}`;
const env = { ...process.env, CAPSTAN_SANDBOX: sandbox };
const run = (command, args) => spawnSync(command, args, { stdio: 'inherit', env }).status ?? 1;

let failed = 0;
try {
  failed += run(process.execPath, [join(here, '..', 'scripts', 'build.mjs')]);
  failed += run(capstan, ['sandbox', 'up', '--name', sandbox]);
  if (failed === 0) {
    for (const name of wanted.length > 0 ? wanted : BENCHES)
      failed += run(process.execPath, [join(here, `${name}.ts`)]);
  }
} finally {
  run(capstan, ['sandbox', 'down', '--name', sandbox]);
}
process.exit(failed === 0 ? 0 : 1);
