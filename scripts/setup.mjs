// Makes this machine able to build, test and demonstrate Capstan: npm packages (with the pinned Node among them),
// Postgres and etcd. Runs under any Node from 20 on without node_modules; quick when nothing is missing.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aptCommand, aptInstall, mayInstall } from './apt.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const NODE_MAJOR = 24;
const POSTGRES_MAJOR = 15;
const EXIT_UNREACHABLE = 7;
const BREW_FOLDERS = ['/opt/homebrew', '/usr/local', '/home/linuxbrew/.linuxbrew'];

const started = performance.now();
const done = [];

if (!packagesMatchLock()) installPackages();
requirePinnedNode();
const missing = missingServers();
if (missing.length > 0) installServers(missing);
if (done.length > 0) say(`${done.join(', ')} in ${((performance.now() - started) / 1000).toFixed(0)} s`);

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(EXIT_UNREACHABLE);
}

function run(program, args, options = {}) {
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    ...options,
  });
  if (error) throw error;
  return status === 0;
}

/** Compares the lock file with what npm says it installed; packages for other systems may be absent. */
function packagesMatchLock() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const installed = JSON.parse(
      readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8'),
    ).packages;
    return Object.entries(wanted).every(([path, entry]) => {
      if (path === '') return true;
      const found = installed[path];
      return found === undefined ? entry.optional === true : found.version === entry.version;
    });
  } catch {
    return false;
  }
}

function installPackages() {
  say('installing npm packages');
  const viaNpm = process.env.npm_execpath;
  const [program, args] = viaNpm?.endsWith('.js') ? [process.execPath, [viaNpm]] : ['npm', []];
  // Not `npm ci`: it demands every other platform's optional binaries in the lock file, which not every registry carries.
  // This takes the locked versions as well, and writes nothing back.
  if (!run(program, [...args, 'install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'])) {
    fail('npm install failed; mend what it says above and run this again');
  }
  done.push('npm packages');
}

/** The pinned Node comes with npm: `node` is a dev dependency, first on the PATH of every npm script. */
function requirePinnedNode() {
  const node = join(root, 'node_modules', '.bin', 'node');
  const version = existsSync(node) ? execFileSync(node, ['--version'], { encoding: 'utf8' }).trim() : 'none';
  if (Number(/^v(\d+)/.exec(version)?.[1]) < NODE_MAJOR || version === 'none') {
    fail(
      `node_modules holds no Node ${NODE_MAJOR} (found: ${version}); npm rebuild node, then run this again`,
    );
  }
}

function missingServers() {
  return [...(hasPostgres() ? [] : ['postgres']), ...(onPath('etcd') === undefined ? ['etcd'] : [])];
}

function hasPostgres() {
  const debian = names('/usr/lib/postgresql').filter((name) => Number(name) >= POSTGRES_MAJOR);
  if (debian.some((name) => isServer(join('/usr/lib/postgresql', name, 'bin')))) return true;
  const brew = BREW_FOLDERS.flatMap((prefix) =>
    names(join(prefix, 'opt'))
      .filter((name) => Number(/^postgresql@(\d+)$/.exec(name)?.[1]) >= POSTGRES_MAJOR)
      .map((name) => join(prefix, 'opt', name, 'bin')),
  );
  if (brew.some(isServer)) return true;
  const server = onPath('postgres');
  if (server === undefined) return false;
  const { stdout } = spawnSync(server, ['--version'], { encoding: 'utf8' });
  return Number(/\(PostgreSQL\) (\d+)/.exec(stdout ?? '')?.[1]) >= POSTGRES_MAJOR;
}

function names(folder) {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function isServer(binDir) {
  return existsSync(join(binDir, 'postgres')) && existsSync(join(binDir, 'initdb'));
}

function onPath(program) {
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/bin',
    '/usr/local/bin',
    '/opt/homebrew/bin',
  ];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

function installServers(servers) {
  const packages = servers.map((server) => (server === 'postgres' ? 'postgresql' : 'etcd-server'));
  const command = aptCommand(packages);
  if (!mayInstall()) {
    const formulas = servers.map((server) => (server === 'postgres' ? 'postgresql@17' : 'etcd'));
    fail(
      `${servers.join(' and ')} missing (Postgres >= ${POSTGRES_MAJOR}, etcd >= 3.4). Install with\n` +
        `  Debian/Ubuntu:  sudo sh -c '${command}'\n` +
        `  Homebrew:       brew install ${formulas.join(' ')}\n` +
        'and run this again',
    );
  }
  say(`installing ${packages.join(' and ')} with apt-get`);
  if (!aptInstall(packages)) fail(`this failed, see above: ${command}`);
  const still = missingServers();
  if (still.length > 0) {
    fail(
      `apt-get installed ${packages.join(' and ')}, but ${still.join(' and ')} (Postgres >= ${POSTGRES_MAJOR}) ` +
        'is still missing: this distribution is too old; newer Postgres packages: https://wiki.postgresql.org/wiki/Apt',
    );
  }
  done.push(packages.join(' and '));
}
