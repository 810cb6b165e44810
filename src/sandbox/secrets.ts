import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import type { PostgresRole } from '../config/estate-config.ts';
import type { ProjectionsRole } from '../config/projections-config.ts';
import { createKey, type KeyEntry } from '../gateway/keys.ts';
import type { SandboxPaths } from './folders.ts';
import { writeJson } from './state.ts';

export const POSTGRES_ROLES: readonly PostgresRole[] = [
  'superuser',
  'replication',
  'gateway',
  'app',
  'agent',
  'operator',
  'reader',
];

/** Of the projections' Postgres. */
export const PROJECTIONS_SECRETS: Readonly<Record<ProjectionsRole, string>> = {
  projector: 'projector',
  projections_reader: 'projections_reader',
  superuser: 'projections_superuser',
};

/** Who holds a gateway key in a sandbox: a desk in each region, and an operator. */
export const KEY_HOLDERS = [
  { desk: 'desk-new-york', role: 'desk' },
  { desk: 'desk-madrid', role: 'desk' },
  { desk: 'operator', role: 'operator' },
] as const;
export type KeyHolder = (typeof KEY_HOLDERS)[number]['desk'];

/** Random passwords, gateway keys and the link's token, each in a file that only its owner reads. */
export async function writeSecrets(paths: SandboxPaths): Promise<void> {
  await mkdir(paths.secrets, { recursive: true, mode: 0o700 });
  await chmod(paths.secrets, 0o700);
  const write = (name: string, text: string) => writeFile(paths.secret(name), `${text}\n`, { mode: 0o600 });
  for (const name of [...POSTGRES_ROLES, ...Object.values(PROJECTIONS_SECRETS), 'link'])
    await write(name, randomBytes(24).toString('base64url'));
  const entries: KeyEntry[] = [];
  for (const holder of KEY_HOLDERS) {
    const { key, entry } = createKey(holder);
    await write(keyFileOf(holder.desk), key);
    entries.push(entry);
  }
  await writeJson(paths.secret('gateway-keys.json'), entries);
}

const keyFileOf = (holder: KeyHolder): string => `key-${holder}`;

/** The gateway key of a desk or the operator. */
export const readGatewayKey = (paths: SandboxPaths, holder: KeyHolder): Promise<string> =>
  readSecretFile(paths, keyFileOf(holder));

/** One secret of the sandbox, such as a Postgres role's password. */
export async function readSecretFile(paths: SandboxPaths, name: string): Promise<string> {
  return (await readFile(paths.secret(name), 'utf8')).trim();
}
