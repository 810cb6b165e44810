// Installs Debian packages for their programs alone. Runs under any Node from 20 on without node_modules.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

const POLICY_FILE = '/usr/sbin/policy-rc.d';

/** The same as a line for a person to type. */
export const aptCommand = (packages) =>
  `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;

/** Whether this process may install packages here. */
export const mayInstall = () => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');

/** Installs the packages, and starts none of their services. False when apt-get fails; its output goes to stderr. */
export function aptInstall(packages) {
  return withoutServiceStarts(() => {
    // What apt knows from before may do when the update fails.
    apt(['update', '-qq']);
    return apt(['install', '-y', '-qq', '--no-install-recommends', ...packages]);
  });
}

function apt(args) {
  const { status, error } = spawnSync('apt-get', args, {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (error) throw error;
  return status === 0;
}

/** Debian starts services as it installs them; Capstan needs the programs only. Debian Policy, `invoke-rc.d`. */
function withoutServiceStarts(body) {
  const ours = !existsSync(POLICY_FILE);
  if (ours) writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const release = () => {
    if (ours) rmSync(POLICY_FILE, { force: true });
  };
  process.once('exit', release);
  try {
    return body();
  } finally {
    release();
  }
}
