// Builds dist/ and oclif.manifest.json. Does nothing when nothing changed since the last build.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const ASSETS = ['src/**/*.sql', 'src/**/*.csv'];
const INPUTS = [
  'src/**/*.ts',
  ...ASSETS,
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
  'scripts/build.mjs',
];
const stampFile = join(root, 'dist', '.build-stamp');
const manifestFile = join(root, 'oclif.manifest.json');

const stamp = fingerprint();
if (existsSync(manifestFile) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) {
  process.stderr.write('build: up to date\n');
} else {
  const started = performance.now();
  rmSync(manifestFile, { force: true });
  rmSync(stampFile, { force: true });
  compile();
  const assets = ASSETS.flatMap((pattern) => globSync(pattern, { cwd: root }));
  for (const asset of assets) copy(asset);
  removeOrphans(assets);
  const commands = await writeManifest();
  writeFileSync(stampFile, stamp);
  process.stderr.write(
    `build: ${commands} commands in ${((performance.now() - started) / 1000).toFixed(1)} s\n`,
  );
}

function byName(a, b) {
  return a < b ? -1 : 1;
}

/** Sizes and times of all inputs: cheap, and every save changes it. */
function fingerprint() {
  const hash = createHash('sha256');
  for (const file of INPUTS.flatMap((pattern) => globSync(pattern, { cwd: root })).toSorted(byName)) {
    const { size, mtimeMs } = statSync(join(root, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function compile() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    execFileSync(
      process.execPath,
      [tsc, '-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo'],
      {
        cwd: root,
        stdio: 'inherit',
      },
    );
  } catch (error) {
    process.stderr.write('build: the compiler reported errors\n');
    if (!process.argv.includes('--keep-going')) process.exit(error.status ?? 1);
  }
}

function copy(file) {
  const target = join(root, 'dist', file.slice('src/'.length));
  mkdirSync(dirname(target), { recursive: true });
  cpSync(join(root, file), target);
}

/** A source file that is gone must not live on as a command. */
function removeOrphans(assets) {
  const kept = new Set(assets.map((file) => file.slice('src/'.length)));
  for (const file of globSync('**/*.{js,js.map,sql,csv}', { cwd: join(root, 'dist') })) {
    const source = join(root, 'src', file.replace(/\.js(\.map)?$/, '.ts'));
    if (!kept.has(file) && !existsSync(source)) rmSync(join(root, 'dist', file), { force: true });
  }
}

async function writeManifest() {
  process.env.NODE_ENV = 'production';
  const { Plugin } = await import('@oclif/core/config');
  const { settings } = await import('@oclif/core/settings');
  settings.enableAutoTranspile = false;
  const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const plugin = new Plugin({
    root,
    pjson,
    isRoot: true,
    ignoreManifest: true,
    errorOnManifestCreate: true,
    type: 'core',
  });
  await plugin.load();
  writeFileSync(manifestFile, `${JSON.stringify(plugin.manifest, null, 2)}\n`);
  return Object.keys(plugin.manifest.commands).length;
}
