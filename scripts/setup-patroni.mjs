// Installs Patroni, which `npm run bench failover` measures Capstan beside. Nothing else needs it.
import { existsSync } from 'node:fs';
import { aptCommand, aptInstall, mayInstall } from './apt.mjs';

const PROGRAM = '/usr/bin/patroni';
const PACKAGES = ['patroni', 'python3-etcd'];
const EXIT_UNREACHABLE = 7;

if (!existsSync(PROGRAM)) {
  if (!mayInstall()) fail(`patroni is missing. Install it with\n  sudo sh -c '${aptCommand(PACKAGES)}'`);
  process.stderr.write(`setup: installing ${PACKAGES.join(' and ')} with apt-get\n`);
  if (!aptInstall(PACKAGES) || !existsSync(PROGRAM)) fail(`this failed, see above: ${aptCommand(PACKAGES)}`);
}

function fail(text) {
  process.stderr.write(`setup: ${text}\n`);
  process.exit(EXIT_UNREACHABLE);
}
