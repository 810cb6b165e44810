// Runs many command lines of the build one after another in this one process: [[argument, …], …] on stdin, what each wrote and the
// status that bin/ would end with on stdout, as JSON.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = join(import.meta.dirname, '../..');
const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { main } = await import(pathToFileURL(join(root, 'dist/cli/main.js')).href);

const written = { stdout: '', stderr: '' };
const own = process.stdout.write.bind(process.stdout);
for (const name of ['stdout', 'stderr']) {
  process[name].write = (chunk, encoding, done = encoding) => {
    written[name] += String(chunk);
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
}

const runs = [];
for (const argv of JSON.parse(readFileSync(0, 'utf8'))) {
  Object.assign(written, { stdout: '', stderr: '' });
  const status = await main({ argv, root, pjson });
  runs.push({ status, ...written });
}
own(JSON.stringify(runs), () => process.exit(0));
