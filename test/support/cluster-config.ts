/** The configuration of a cluster whose members a test has started by itself. */
import type { EstateConfig } from '../../src/config/estate-config.ts';
import type { TestPostgres } from './postgres.ts';

const memberAt = (address: string) => ({
  region: 'here',
  role: 'voter' as const,
  dataDir: '/nowhere',
  listen: address,
  address: { default: address },
});

/** Members by name at their addresses; all roles have the reader's password. */
export function clusterConfig(leader: TestPostgres, addresses: ReadonlyMap<string, string>): EstateConfig {
  process.env['TEST_READER_PASSWORD'] = leader.passwordOf('reader');
  const secret = { env: 'TEST_READER_PASSWORD' };
  const members = Object.fromEntries([...addresses].map(([member, address]) => [member, memberAt(address)]));
  return {
    source: 'capstan.yaml',
    estate: 'test',
    etcd: { endpoints: { default: [] } },
    postgres: {
      database: leader.database,
      osUser: 'postgres',
      tls: { mode: 'disable' },
      passwords: {
        superuser: secret,
        replication: secret,
        gateway: secret,
        app: secret,
        agent: secret,
        operator: secret,
        reader: secret,
      },
    },
    contract: 'contract.yaml',
    clusters: { c1: { homeRegion: 'here', bootstrapMember: 'leader', members } },
    gateways: {},
    projectors: {},
  };
}
