import type { EstateConfig } from '../config/estate-config.ts';
import { Keys } from '../controlplane/keys.ts';
import type { EtcdPort, EtcdReader } from '../etcd/port.ts';
import { locateConfig, type ConfigLocation } from './locate-config.ts';
import { quickConfig, type QuickConfig } from './quick-config.ts';

/** The estate that a command works on, as its configuration names it. Nothing is connected yet. */
export interface Estate {
  readonly location: ConfigLocation;
  readonly config: EstateConfig;
  readonly keys: Keys;
  /** From where addresses are seen: CAPSTAN_REGION, or undefined for `default`. */
  readonly region: string | undefined;
}

const callerRegion = (): string | undefined => {
  const region = process.env['CAPSTAN_REGION'];
  return region === undefined || region === '' ? undefined : region;
};

const locate = (flag: string | undefined): ConfigLocation =>
  locateConfig({ flag, environment: process.env, folder: process.cwd() });

/** Finds and loads the configuration. Throws CapstanError `config_not_found`, `config_unreadable`, `config_invalid`. */
export async function openEstate(flag: string | undefined): Promise<Estate> {
  const location = locate(flag);
  const { loadEstateConfig } = await import('../config/estate-config.ts');
  const config = await loadEstateConfig(location.path);
  return { location, config, keys: new Keys(config.estate), region: callerRegion() };
}

/** Runs `use` with a read-only connection to etcd, over HTTP: nothing heavy is loaded. */
export async function withEtcdReader<T>(
  estate: Pick<Estate, 'region'> & { readonly config: QuickConfig },
  use: (etcd: EtcdReader) => Promise<T>,
): Promise<T> {
  const { etcdReaderFromConfig } = await import('../etcd/from-config.ts');
  const etcd = await etcdReaderFromConfig(estate.config, estate.region);
  try {
    return await use(etcd);
  } finally {
    etcd.close();
  }
}

/** Runs `use` with the full connection to etcd, for what writes or watches. */
export async function withEtcd<T>(estate: Estate, use: (etcd: EtcdPort) => Promise<T>): Promise<T> {
  const { etcdFromConfig } = await import('../etcd/from-config.ts');
  const etcd = await etcdFromConfig(estate.config, estate.region);
  try {
    return await use(etcd);
  } finally {
    etcd.close();
  }
}

/** What a lookup in etcd needs and no more: the quick way to `withEtcdReader`. */
export interface QuickEstate {
  readonly location: ConfigLocation;
  readonly config: QuickConfig;
  readonly keys: Keys;
  readonly region: string | undefined;
}

/** Like `openEstate`, without loading the schema library where the file is plain; the same errors. */
export async function openQuickEstate(flag: string | undefined): Promise<QuickEstate> {
  const location = locate(flag);
  const config = await quickConfig(location.path);
  if (config === undefined) return openEstate(flag);
  return { location, config, keys: new Keys(config.estate), region: callerRegion() };
}

/** Finds the estate the quick way and runs `use` with a reader of its etcd: all that a command that only looks needs. */
export async function lookUp<T>(
  flag: string | undefined,
  use: (found: { readonly etcd: EtcdReader; readonly keys: Keys }) => Promise<T>,
): Promise<T> {
  const estate = await openQuickEstate(flag);
  return withEtcdReader(estate, (etcd) => use({ etcd, keys: estate.keys }));
}
