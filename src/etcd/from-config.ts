import { readFile } from 'node:fs/promises';
import { addressFrom, type Viewpoint } from '../config/address-from.ts';
import type { EstateConfig } from '../config/estate-config.ts';
import { readSecret } from '../config/secrets.ts';
import { messageOf, usageError } from '../domain/errors.ts';
import type { EtcdOptions } from './options.ts';
import type { EtcdPort, EtcdReader } from './port.ts';

type EtcdConfig = Pick<EstateConfig, 'etcd'>;

/** Opens etcd as `capstan.yaml` describes it, seen from there. The gRPC library is loaded by this call only. */
export async function etcdFromConfig(
  config: EtcdConfig,
  from?: Viewpoint,
  timeoutMs?: number,
): Promise<EtcdPort> {
  const options = await etcdOptionsOf(config, from, timeoutMs);
  const { openEtcd } = await import('./etcd3-adapter.ts');
  return openEtcd(options);
}

/** The quick read-only way: nothing heavy is loaded. */
export async function etcdReaderFromConfig(
  config: EtcdConfig,
  from?: Viewpoint,
  timeoutMs?: number,
): Promise<EtcdReader> {
  const options = await etcdOptionsOf(config, from, timeoutMs);
  const { openEtcdReader } = await import('./http-reader.ts');
  return openEtcdReader(options);
}

async function etcdOptionsOf(
  { etcd }: EtcdConfig,
  from: Viewpoint,
  timeoutMs: number | undefined,
): Promise<EtcdOptions> {
  const { username, password, tls } = etcd;
  return {
    endpoints: addressFrom(etcd.endpoints, from),
    username,
    password: password === undefined ? undefined : await readSecret(password, 'etcd.password'),
    tls:
      tls === undefined
        ? undefined
        : {
            ca: await pem(tls.ca, 'etcd.tls.ca'),
            cert: tls.cert === undefined ? undefined : await pem(tls.cert, 'etcd.tls.cert'),
            key: tls.key === undefined ? undefined : await pem(tls.key, 'etcd.tls.key'),
          },
    timeoutMs,
  };
}

async function pem(path: string, field: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw usageError(`${field}: ${messageOf(error)}`, { code: 'config_unreadable', cause: error });
  }
}
