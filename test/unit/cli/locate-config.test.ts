import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { locateConfig } from '../../../src/cli/locate-config.ts';
import { quickConfig } from '../../../src/cli/quick-config.ts';

let root: string;
let environment: NodeJS.ProcessEnv;
const write = (path: string, text = '') => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
  return join(root, path);
};

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'capstan-context-'));
  environment = { CAPSTAN_STATE_DIR: join(root, 'state') };
  mkdirSync(join(root, 'here', 'below'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('a flag comes first, then CAPSTAN_CONFIG, then the nearest file, then the sandbox', () => {
  const folder = join(root, 'here', 'below');
  const locate = (flag?: string) => locateConfig({ flag, environment, folder });
  expect(locate).toThrow(expect.objectContaining({ code: 'config_not_found', exit: 2 }));

  const sandbox = write('state/sandboxes/default/capstan.yaml');
  write('state/sandboxes/default/state.json');
  expect(locate()).toMatchObject({ path: sandbox, source: 'sandbox' });

  const above = write('here/capstan.yaml');
  expect(locate()).toMatchObject({ path: above, source: 'nearest-file' });

  environment['CAPSTAN_CONFIG'] = '/elsewhere/capstan.yaml';
  expect(locate()).toMatchObject({ path: '/elsewhere/capstan.yaml', source: 'environment' });
  expect(locate('mine.yaml')).toMatchObject({ path: join(folder, 'mine.yaml'), source: 'flag' });
});

test('CAPSTAN_SANDBOX chooses the sandbox, and one that is half made does not count', () => {
  write('state/sandboxes/far/capstan.yaml');
  environment['CAPSTAN_SANDBOX'] = 'far';
  const locate = () => locateConfig({ flag: undefined, environment, folder: root });
  expect(locate).toThrow(expect.objectContaining({ code: 'config_not_found' }));
  write('state/sandboxes/far/state.json');
  expect(locate()).toMatchObject({ source: 'sandbox' });
  environment['CAPSTAN_SANDBOX'] = '../far';
  expect(locate).toThrow(expect.objectContaining({ code: 'name_invalid' }));
});

test('the quick reader understands a plain file, and leaves any other to the full one', async () => {
  const plain = write('a.yaml', 'estate: e1\netcd: {endpoints: {default: ["http://h:1"]}}\n');
  expect(await quickConfig(plain)).toEqual({
    estate: 'e1',
    etcd: { endpoints: { default: ['http://h:1'] } },
  });
  const secret = write(
    'b.yaml',
    'estate: e1\netcd: {endpoints: {default: ["http://h:1"]}, username: u, password: {file: p}}\n',
  );
  expect((await quickConfig(secret))?.etcd.password).toEqual({ file: join(root, 'p') });
  for (const text of [
    '',
    ': :',
    'estate: e1\netcd: {}',
    'estate: E 1\netcd: {endpoints: {default: ["http://h:1"]}}',
  ]) {
    expect(await quickConfig(write('c.yaml', text))).toBeUndefined();
  }
  expect(await quickConfig(join(root, 'none.yaml'))).toBeUndefined();
});
