import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quickConfig } from '../../../src/cli/quick-config.ts';
import { parseContract } from '../../../src/config/contract.ts';
import { loadEstateConfig } from '../../../src/config/estate-config.ts';

const ROLES = ['superuser', 'replication', 'gateway', 'app', 'agent', 'operator', 'reader'];
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'config-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function estateWith(endpoint: string): string {
  const path = join(folder, 'capstan.yaml');
  const passwords = ROLES.map((role) => `${role}: {env: SECRET}`).join(', ');
  writeFileSync(
    path,
    `estate: harbor\netcd: {endpoints: {default: ["${endpoint}"]}}\npostgres: {passwords: {${passwords}}}\n`,
  );
  return path;
}

test.each([
  'http://root:hunter2@127.0.0.1:2379',
  'http://root@127.0.0.1:2379',
  'http://:hunter2@127.0.0.1:2379',
])(
  'an etcd URL that carries credentials is refused by both readers, without repeating them: %s',
  async (endpoint) => {
    const path = estateWith(endpoint);
    expect(await quickConfig(path)).toBeUndefined();
    const refusal = await loadEstateConfig(path).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(
        /etcd\.endpoints\.default\.0: .*etcd\.username and etcd\.password/,
      ) as string,
    });
    expect(String(refusal)).not.toContain('hunter2');
  },
);

test('an etcd URL without credentials is read by both', async () => {
  const path = estateWith('http://127.0.0.1:2379');
  const { etcd } = await loadEstateConfig(path);
  expect((await quickConfig(path))?.etcd.endpoints).toEqual(etcd.endpoints);
});

test('a batch may hold no more commands than the decision path takes', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../contract.yaml'), 'utf8');
  const withMax = (max: number) => text.replace(/batchCommandsMax: \d+/, `batchCommandsMax: ${max}`);
  expect(parseContract(withMax(1_000), 'c').admission.batchCommandsMax).toBe(1_000);
  expect(() => parseContract(withMax(1_001), 'c')).toThrow(
    /admission\.batchCommandsMax: must be at most 1000/,
  );
});

test.each([
  ['action: throttle', /rpo\.throttle\.decisionsPerSecond is required when rpo\.action is throttle/],
  [
    'action: close\n  throttle: {decisionsPerSecond: 5}',
    /rpo\.throttle has no effect when rpo\.action is close/,
  ],
  [
    'action: degrade\n  throttle: {decisionsPerSecond: 5}',
    /rpo\.throttle has no effect when rpo\.action is degrade/,
  ],
  ['action: throttle\n  throttle: {decisionsPerSecond: 0}', /rpo\.throttle\.decisionsPerSecond: /],
  ['action: throttle\n  throttle: {perSecond: 5}', /rpo\.throttle\.decisionsPerSecond: /],
  ['action: hope', /rpo\.action: /],
])('an RPO action and its rate go together: %j is refused, naming both fields', (action, message) => {
  const text = readFileSync(join(import.meta.dirname, '../../../contract.yaml'), 'utf8');
  expect(() => parseContract(text.replace('action: degrade', action), 'c')).toThrow(message);
});

test('a throttle is read with its rate', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../contract.yaml'), 'utf8');
  const throttled = text.replace('action: degrade', 'action: throttle\n  throttle: {decisionsPerSecond: 5}');
  expect(parseContract(throttled, 'c').rpo).toMatchObject({
    action: 'throttle',
    throttle: { decisionsPerSecond: 5 },
  });
});
