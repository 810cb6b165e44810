import { loadEstateConfig, type PostgresRole } from '../config/estate-config.ts';
import { etcdEndpoints } from './estate-file.ts';
import { projectionsRoleName } from '../projections/connect-options.ts';
import type { SandboxPaths } from './folders.ts';
import {
  KEY_HOLDERS,
  POSTGRES_ROLES,
  PROJECTIONS_SECRETS,
  readGatewayKey,
  readSecretFile,
} from './secrets.ts';
import { memberNodesOf, PortName, portOf, type SandboxState } from './state.ts';
import { GATEWAY_NODES } from './topology.ts';

const PROJECTIONS_ROLES = ['projector', 'projections_reader', 'superuser'] as const;

/** What other tools need to talk to a sandbox. It holds the sandbox's passwords and keys: printing them is its purpose. */
export interface SandboxEnvironment {
  readonly name: string;
  readonly config: string;
  readonly etcdEndpoints: readonly string[];
  readonly gateways: readonly { readonly region: string; readonly url: string }[];
  readonly keys: Readonly<Record<string, string>>;
  /** Member -> role -> URL for psql. */
  readonly postgres: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Role -> URL for psql; null: it keeps no projections. */
  readonly projections: Readonly<Record<string, string>> | null;
}

/** Names and secrets as they are on disk; whether a process answers is `status`'s question. */
export async function sandboxEnvironment(
  paths: SandboxPaths,
  state: SandboxState,
): Promise<SandboxEnvironment> {
  const { postgres, projections } = await loadEstateConfig(paths.config);
  const passwords = new Map<PostgresRole, string>();
  for (const role of POSTGRES_ROLES) passwords.set(role, await readSecretFile(paths, role));
  const keys: Record<string, string> = {};
  for (const { desk } of KEY_HOLDERS) keys[desk] = await readGatewayKey(paths, desk);
  const urlOf = (member: string, role: PostgresRole, password: string): string => {
    const user = role === 'superuser' ? 'capstan_super' : `capstan_${role}`;
    return `postgresql://${user}:${password}@127.0.0.1:${portOf(state, PortName.postgres(member))}/${postgres.database}`;
  };
  return {
    name: paths.name,
    config: paths.config,
    etcdEndpoints: etcdEndpoints(state),
    gateways: GATEWAY_NODES.map(({ name, region }) => ({
      region,
      url: `http://127.0.0.1:${portOf(state, PortName.gateway(name))}`,
    })),
    keys,
    postgres: Object.fromEntries(
      memberNodesOf(state).map(({ name }) => [
        name,
        Object.fromEntries([...passwords].map(([role, password]) => [role, urlOf(name, role, password)])),
      ]),
    ),
    projections: projections === undefined ? null : await projectionsUrls(paths, state, projections.database),
  };
}

async function projectionsUrls(
  paths: SandboxPaths,
  state: SandboxState,
  database: string,
): Promise<Readonly<Record<string, string>>> {
  const urls: Record<string, string> = {};
  for (const role of PROJECTIONS_ROLES) {
    const password = await readSecretFile(paths, PROJECTIONS_SECRETS[role]);
    const port = portOf(state, PortName.projections);
    urls[role] = `postgresql://${projectionsRoleName(role)}:${password}@127.0.0.1:${port}/${database}`;
  }
  return urls;
}

/** `export NAME='value'` lines for a POSIX shell: `eval "$(capstan sandbox env)"`. */
export function shellLines(environment: SandboxEnvironment): string[] {
  const { config, name, etcdEndpoints: endpoints, gateways, keys, postgres, projections } = environment;
  const pairs: [string, string][] = [
    ['CAPSTAN_SANDBOX', name],
    ['CAPSTAN_CONFIG', config],
    ['ETCDCTL_API', '3'],
    ['ETCDCTL_ENDPOINTS', endpoints.join(',')],
    ...gateways.map(({ region, url }): [string, string] => [`GATEWAY_${shellName(region)}`, url]),
    ...Object.entries(keys).map(([holder, key]): [string, string] => [`KEY_${shellName(holder)}`, key]),
    ...Object.entries(postgres).flatMap(([member, urls]) =>
      Object.entries(urls).map(([role, url]): [string, string] => [
        `PG_${shellName(member)}_${shellName(role)}`,
        url,
      ]),
    ),
    ...Object.entries(projections ?? {}).map(([role, url]): [string, string] => [
      `PG_PROJECTIONS_${shellName(role)}`,
      url,
    ]),
  ];
  return pairs.map(([key, value]) => `export ${key}='${value.replaceAll("'", String.raw`'\''`)}'`);
}

const shellName = (text: string): string => text.toUpperCase().replaceAll('-', '_');
