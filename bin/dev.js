#!/usr/bin/env node
// The command line from its TypeScript source, without a build: for work on Capstan itself.
import { readFileSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dropWhatNobodyReads, finish } from './exit.js';

enableCompileCache();
// It is written at a graceful end only, and a daemon may never have one.
setTimeout(() => flushCompileCache(), 3_000).unref();
dropWhatNobodyReads();
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
pjson.oclif = { ...pjson.oclif, commands: './src/commands' };
const { main } = await import('../src/cli/main.ts');
await finish(await main({ argv: process.argv.slice(2), root, pjson, fromSource: true }));
