#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { dropWhatNobodyReads, finish } from './exit.js';

module.enableCompileCache();
// It is written at a graceful end only, and a daemon may never have one.
setTimeout(() => module.flushCompileCache(), 3_000).unref();
dropWhatNobodyReads();

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
  process.stdout.write(`capstan ${pjson.version}\n`);
} else {
  const built = (file) => pathToFileURL(join(root, 'dist', 'cli', file)).href;
  if (existsSync(join(root, 'dist', 'cli', 'main.js'))) {
    const quick = argv[0] === 'map' ? await (await import(built('quick.js'))).quickCommand(argv) : undefined;
    await finish(quick ?? (await (await import(built('main.js'))).main({ argv, root, pjson })));
  } else {
    process.stderr.write('capstan: not built yet; run npm run build in the project first\n');
    process.exitCode = 1;
  }
}
