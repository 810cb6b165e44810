import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, usageError } from '../domain/errors.ts';
import { archive, archiveAt } from './archive-config.ts';
import { issueLines } from './contract.ts';
import { addresses, endpoint, name, secret, type SecretSource } from './fields.ts';
import { projections, projectionsAt, projectors } from './projections-config.ts';

const etcdUrl = z.url().refine((text) => {
  const { username, password } = new URL(text);
  return username === '' && password === '';
}, 'must not carry a username or password: they belong in etcd.username and etcd.password');

const schema = z.strictObject({
  estate: name,
  etcd: z.strictObject({
    endpoints: z
      .record(z.string(), z.array(etcdUrl).min(1))
      .refine((by) => 'default' in by, 'needs a `default` list'),
    username: z.string().optional(),
    password: secret.optional(),
    tls: z
      .strictObject({ ca: z.string(), cert: z.string().optional(), key: z.string().optional() })
      .optional(),
  }),
  postgres: z.strictObject({
    database: z.string().default('capstan'),
    binDir: z.string().optional(),
    osUser: z.string().default('postgres'),
    tls: z
      .strictObject({
        mode: z.enum(['disable', 'require', 'verify-full']).default('disable'),
        ca: z.string().optional(),
        cert: z.string().optional(),
        key: z.string().optional(),
        serverCert: z.string().optional(),
        serverKey: z.string().optional(),
      })
      .default({ mode: 'disable' }),
    passwords: z.strictObject({
      superuser: secret,
      replication: secret,
      gateway: secret,
      app: secret,
      agent: secret,
      operator: secret,
      reader: secret,
    }),
  }),
  contract: z.string().default('contract.yaml'),
  clusters: z
    .record(
      name,
      z.strictObject({
        homeRegion: name,
        bootstrapMember: name,
        members: z.record(
          name,
          z.strictObject({
            region: name,
            role: z.enum(['voter', 'observer']),
            dataDir: z.string(),
            listen: endpoint,
            address: addresses,
          }),
        ),
      }),
    )
    .default({}),
  gateways: z
    .record(name, z.strictObject({ region: name, listen: endpoint, keysFile: z.string(), url: z.url() }))
    .default({}),
  projections: projections.optional(),
  projectors,
  archive: archive.optional(),
});

type Parsed = z.infer<typeof schema>;
export type { SecretSource } from './fields.ts';
export type PostgresRole = keyof Parsed['postgres']['passwords'];
export type ClusterConfig = Parsed['clusters'][string];
export type MemberConfig = ClusterConfig['members'][string];
export type GatewayConfig = Parsed['gateways'][string];

/** One estate as `capstan.yaml` describes it. Every path in it is absolute. */
export interface EstateConfig extends Parsed {
  /** The file that it was read from. */
  readonly source: string;
}

/**
 * Reads and checks `capstan.yaml`. Throws CapstanError `config_unreadable` or `config_invalid` (exit 2), naming each
 * field at fault.
 */
export async function loadEstateConfig(path: string): Promise<EstateConfig> {
  const source = resolve(path);
  let document: unknown;
  try {
    document = parse(await readFile(source, 'utf8'));
  } catch (error) {
    throw usageError(`${source} can't be read: ${messageOf(error)}`, {
      code: 'config_unreadable',
      cause: error,
    });
  }
  const parsed = schema.safeParse(document);
  const problems = parsed.success ? contradictions(parsed.data) : issueLines(parsed.error);
  if (!parsed.success || problems.length > 0) {
    throw usageError(`${source}: ${problems.join('; ')}`, { code: 'config_invalid', data: { problems } });
  }
  return { ...absolutePaths(parsed.data, dirname(source)), source };
}

function contradictions(config: Parsed): string[] {
  return [
    ...clusterContradictions(config),
    ...(config.projections === undefined && Object.keys(config.projectors).length > 0
      ? ['projectors: need `projections`, the database that they write']
      : []),
  ];
}

function clusterContradictions(config: Parsed): string[] {
  const seen = new Set<string>();
  return Object.entries(config.clusters).flatMap(([cluster, { homeRegion, bootstrapMember, members }]) => {
    const problems: string[] = [];
    const bootstrap = members[bootstrapMember];
    if (bootstrap === undefined)
      problems.push(`clusters.${cluster}.bootstrapMember: ${bootstrapMember} is not a member`);
    for (const [member, { region, role }] of Object.entries(members)) {
      if (seen.has(member)) problems.push(`clusters.${cluster}.members.${member}: the name is used twice`);
      seen.add(member);
      if (role === 'voter' && region !== homeRegion) {
        problems.push(
          `clusters.${cluster}.members.${member}.role: a voter must be in the home region ${homeRegion}`,
        );
      }
    }
    if (bootstrap !== undefined && bootstrap.role !== 'voter') {
      problems.push(`clusters.${cluster}.bootstrapMember: ${bootstrapMember} must be a voter`);
    }
    return problems;
  });
}

const mapValues = <V, W>(record: Record<string, V>, change: (value: V) => W) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

function absolutePaths(config: Parsed, base: string): Parsed {
  const at = (path: string) => resolve(base, path);
  const optional = (path: string | undefined) => (path === undefined ? undefined : at(path));
  const secretAt = <S extends SecretSource>(source: S): S =>
    'file' in source ? { ...source, file: at(source.file) } : source;
  const passwords = mapValues(config.postgres.passwords, secretAt) as Parsed['postgres']['passwords'];
  const { tls } = config.postgres;
  return {
    ...config,
    contract: at(config.contract),
    etcd: {
      ...config.etcd,
      password: config.etcd.password && secretAt(config.etcd.password),
      tls: config.etcd.tls && {
        ca: at(config.etcd.tls.ca),
        cert: optional(config.etcd.tls.cert),
        key: optional(config.etcd.tls.key),
      },
    },
    postgres: {
      ...config.postgres,
      passwords,
      tls: {
        mode: tls.mode,
        ca: optional(tls.ca),
        cert: optional(tls.cert),
        key: optional(tls.key),
        serverCert: optional(tls.serverCert),
        serverKey: optional(tls.serverKey),
      },
    },
    clusters: mapValues(config.clusters, (cluster) => ({
      ...cluster,
      members: mapValues(cluster.members, (member) => ({ ...member, dataDir: at(member.dataDir) })),
    })),
    gateways: mapValues(config.gateways, (gateway) => ({ ...gateway, keysFile: at(gateway.keysFile) })),
    ...(config.projections === undefined ? {} : { projections: projectionsAt(config.projections, at) }),
    ...(config.archive === undefined ? {} : { archive: archiveAt(config.archive, at) }),
  };
}

export { addressFrom } from './address-from.ts';
