#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { exitQuietlyOnClosedPipe, finish } from './exit.js';

module.enableCompileCache();
exitQuietlyOnClosedPipe();

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
  process.stdout.write(`capstan ${pjson.version}\n`);
} else {
  const entry = join(root, 'dist', 'cli', 'main.js');
  if (existsSync(entry)) {
    const { main } = await import(pathToFileURL(entry).href);
    await finish(await main({ argv, root, pjson }));
  } else {
    process.stderr.write('capstan: not built yet; run npm run build in the project first\n');
    process.exitCode = 1;
  }
}
