import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEtcdReader } from '../../src/etcd/http-reader.ts';
import { etcdFromConfig, etcdReaderFromConfig } from '../../src/etcd/from-config.ts';
import type { EtcdOptions } from '../../src/etcd/options.ts';
import { eventually, startEtcd, startEtcdCluster, type TestEtcd } from '../support/etcd.ts';

const PASSWORD = 'correct horse';

describe('user and password', () => {
  let etcd: TestEtcd;
  const user = { username: 'capstan', password: PASSWORD };

  beforeAll(async () => {
    etcd = await startEtcdCluster(3);
    const { Etcd3 } = await import('etcd3');
    const admin = new Etcd3({ hosts: [...etcd.endpoints] });
    const root = await admin.user('root').create(PASSWORD);
    await root.addRole('root');
    const role = await admin.role('capstan').create();
    await role.grant({ permission: 'Readwrite', range: admin.range({ prefix: '/capstan/' }) });
    await (await admin.user('capstan').create(PASSWORD)).addRole('capstan');
    await admin.auth.authEnable();
    admin.close();
  });
  afterAll(() => etcd.stop());

  test('the right ones read, write, watch and hold a liveness lease', async () => {
    const port = await etcd.open(user);
    const seen: string[] = [];
    const watch = await port.watch('/capstan/a', {
      onSnapshot: () => undefined,
      onEvents: (events) => seen.push(...events.map(({ kind }) => kind)),
    });
    const lease = await port.grantLiveness(2_000);
    const key = '/capstan/a';
    const write = { kind: 'put', key, value: '1', leaseId: lease.id } as const;
    expect((await port.transact([{ key, modRevision: '0' }], [write])).succeeded).toBe(true);
    await eventually('the change', () => (seen.length > 0 ? seen : undefined));
    const reader = openEtcdReader({ endpoints: etcd.endpoints, ...user });
    expect((await reader.get(key))?.value).toBe('1');
    await lease.close();
    await watch.close();
    port.close();
  });

  test('a wrong password, none, and a key outside the role are etcd_denied, which no retry mends', async () => {
    const denied = { code: 'etcd_denied', exit: 7, retryable: false };
    for (const options of [{ ...user, password: 'wrong' }, {}]) {
      const port = await etcd.open(options);
      await expect(port.get('/capstan/a')).rejects.toMatchObject(denied);
      await expect(port.transact([], [{ kind: 'put', key: '/capstan/a', value: '1' }])).rejects.toMatchObject(
        denied,
      );
      await expect(
        port.watch('/capstan/a', { onSnapshot: () => undefined, onEvents: () => undefined }),
      ).rejects.toMatchObject(denied);
      port.close();
      const reader = openEtcdReader({ endpoints: etcd.endpoints, ...options });
      await expect(reader.get('/capstan/a')).rejects.toMatchObject(denied);
    }
    const port = await etcd.open(user);
    await expect(port.get('/other')).rejects.toMatchObject(denied);
    port.close();
  });

  test('a restarted member has forgotten its tokens, and nobody notices', async () => {
    const [first] = etcd.members;
    if (first === undefined) throw new Error('no member');
    const port = await etcd.open({ ...user, endpoints: [first.url] });
    const reader = openEtcdReader({ endpoints: [first.url], ...user });
    await port.get('/capstan/a');
    await reader.get('/capstan/a');
    await first.kill();
    first.start();
    await eventually(
      'an answer',
      async () => (await port.range('/capstan/a').catch(() => undefined)) && true,
    );
    await eventually(
      'an answer',
      async () => (await reader.range('/capstan/a').catch(() => undefined)) && true,
    );
    expect((await port.get('/capstan/a'))?.value).toEqual((await reader.get('/capstan/a'))?.value);
    port.close();
  });

  test('from the configuration, with the password in a file', async () => {
    const directory = mkdtempSync(join(process.env['CAPSTAN_TEST_ROOT'] ?? tmpdir(), 'secret-'));
    const file = join(directory, 'password');
    writeFileSync(file, `${PASSWORD}\n`);
    chmodSync(file, 0o600);
    const config = {
      etcd: {
        endpoints: { default: ['http://127.0.0.1:1'], madrid: [...etcd.endpoints] },
        username: 'capstan',
        password: { file },
      },
    };
    const port = await etcdFromConfig(config, 'madrid');
    const reader = await etcdReaderFromConfig(config, 'madrid');
    expect(await port.get('/capstan/none')).toBeUndefined();
    expect(await reader.get('/capstan/none')).toBeUndefined();
    port.close();
    rmSync(directory, { recursive: true });
  });
});

const hasOpenssl = (() => {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasOpenssl)('TLS (skipped where openssl is missing: it makes the certificates)', () => {
  let directory: string;
  const path = (name: string) => join(directory, name);
  const openssl = (line: string) =>
    execFileSync('openssl', line.split(' '), { cwd: directory, stdio: 'pipe' });

  beforeAll(() => {
    directory = mkdtempSync(join(process.env['CAPSTAN_TEST_ROOT'] ?? tmpdir(), 'tls-'));
    const authority = (name: string) =>
      openssl(
        `req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=${name} -keyout ${name}.key -out ${name}.pem`,
      );
    authority('ca');
    authority('other-ca');
    writeFileSync(
      path('ext'),
      'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n',
    );
    openssl('req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout node.key -out node.csr');
    openssl(
      'x509 -req -days 2 -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext -out node.pem',
    );
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each([false, true])('reads and writes, client certificate demanded: %s', async (demandClientCert) => {
    const client = {
      ca: readFileSync(path('ca.pem')),
      ...(demandClientCert
        ? { cert: readFileSync(path('node.pem')), key: readFileSync(path('node.key')) }
        : {}),
    };
    const tls = { ca: path('ca.pem'), cert: path('node.pem'), key: path('node.key'), demandClientCert };
    const etcd = await startEtcd({ tls, clientOptions: { tls: client } });
    try {
      const port = await etcd.open({ tls: client });
      expect((await port.transact([], [{ kind: 'put', key: '/tls', value: '1' }])).succeeded).toBe(true);
      const reader = openEtcdReader({ endpoints: etcd.endpoints, tls: client });
      expect((await reader.get('/tls'))?.value).toBe('1');
      port.close();
      const strangers: Partial<EtcdOptions>[] = [
        { tls: { ...client, ca: readFileSync(path('other-ca.pem')) } },
        ...(demandClientCert ? [{ tls: { ca: client.ca } }] : []),
      ];
      for (const options of strangers) {
        const stranger = await etcd.open({ ...options, timeoutMs: 700 });
        await expect(stranger.get('/tls')).rejects.toMatchObject({ exit: 7 });
        stranger.close();
        const unread = openEtcdReader({ endpoints: etcd.endpoints, timeoutMs: 700, ...options });
        await expect(unread.get('/tls')).rejects.toMatchObject({ exit: 7 });
      }
    } finally {
      await etcd.stop();
    }
  });
});
