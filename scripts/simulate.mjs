// `npm run simulate -- --seeds 5000 --from 1`, or `--seed 42 --trace`: runs the simulation (test/simulation/SPEC.md) on the
// pinned Node and ends with 1 at the first seed that breaks an invariant, with the command that replays it.
import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const env = {
  ...process.env,
  PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH ?? ''}`,
};
const main = join(root, 'test', 'simulation', 'main.ts');
const { status } = spawnSync('node', [main, ...process.argv.slice(2)], { cwd: root, env, stdio: 'inherit' });
process.exit(status ?? 1);
