// The main job on screen in under three minutes: `npm run demo`; `--keep` leaves the sandbox up. Started by any Node from 20
// on, it goes on under the pinned one. Ends with 1 when a promise was broken.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR = 24;
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const pinned = join(root, 'node_modules', '.bin', 'node');

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) {
  const { tell } = await import('./demo/story.mjs');
  process.exitCode = await tell({ keep: process.argv.includes('--keep') });
} else if (existsSync(pinned)) {
  process.on('SIGINT', () => undefined);
  const { status } = spawnSync(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
} else {
  process.stderr.write(`demo: Node ${NODE_MAJOR} is needed; node scripts/setup.mjs installs it\n`);
  process.exitCode = 7;
}
