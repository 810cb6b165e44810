import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadEstateConfig } from '../../../src/config/estate-config.ts';
import { projectionsConnectOptions } from '../../../src/projections/connect-options.ts';

const ROLES = ['superuser', 'replication', 'gateway', 'app', 'agent', 'operator', 'reader'];
const LIMITS = { applicationName: 'test', connectTimeoutMs: 1, statementTimeoutMs: 2, lockTimeoutMs: 3 };
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'config-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function load(rest: string) {
  const path = join(folder, 'capstan.yaml');
  const passwords = ROLES.map((role) => `${role}: {env: SECRET}`).join(', ');
  const etcd = '{endpoints: {default: ["http://127.0.0.1:2379"]}}';
  writeFileSync(path, `estate: harbor\netcd: ${etcd}\npostgres: {passwords: {${passwords}}}\n${rest}\n`);
  return loadEstateConfig(path);
}

const PROJECTIONS = `projections:
  address: {default: "10.0.0.1:5432", madrid: "[::1]:6000"}
  tls: {mode: require, ca: ca.pem}
  passwords: {projector: {file: secrets/projector}, projections_reader: {env: READER}}
`;

test('an estate without projections has none, and whoever asks for them is told', async () => {
  const config = await load('');
  expect(config.projections).toBeUndefined();
  await expect(projectionsConnectOptions({ config, role: 'projector', ...LIMITS })).rejects.toMatchObject({
    code: 'projections_missing',
    exit: 2,
  });
});

test('paths of the projections are absolute, and an address is taken from where it is asked', async () => {
  const config = await load(`${PROJECTIONS}projectors: {p1: {region: madrid}}`);
  expect(config.projections?.passwords.projector).toEqual({ file: join(folder, 'secrets/projector') });
  expect(config.projections?.tls.ca).toBe(join(folder, 'ca.pem'));
  process.env['READER'] = 'word';
  const options = await projectionsConnectOptions({
    config,
    role: 'projections_reader',
    region: 'madrid',
    ...LIMITS,
  });
  expect(options).toMatchObject({
    host: '::1',
    port: 6000,
    user: 'capstan_projections_reader',
    password: 'word',
    database: 'capstan_projections',
  });
  await expect(projectionsConnectOptions({ config, role: 'superuser', ...LIMITS })).rejects.toMatchObject({
    code: 'secret_missing',
  });
});

test.each([
  ['projectors: {p1: {region: madrid}}', /projectors: need `projections`/],
  [PROJECTIONS.replace('default:', 'new-york:'), /projections\.address.*default/],
  [`${PROJECTIONS}projectors: {p1: {}}`, /projectors\.p1\.region/],
])('a contradiction is named with its field', async (rest, message) => {
  await expect(load(rest)).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(message) as string,
  });
});
