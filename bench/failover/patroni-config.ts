import { stringify } from 'yaml';

export interface PatroniMember {
  readonly name: string;
  /** Everything of the member works in here. */
  readonly home: string;
  readonly postgresPort: number;
  readonly restPort: number;
}

export interface PatroniOptions {
  readonly member: PatroniMember;
  readonly etcdPorts: readonly number[];
  readonly binDir: string;
  /** A whole number, as Patroni takes it. */
  readonly ttlS: number;
  readonly password: string;
}

/**
 * The quickest that 3.0 works with. It refuses no number, but with a `retry_timeout` of 1 s no standby ever takes the leader
 * key over (`attempt_to_acquire_leader` in its dcs/etcd3.py demands a whole second that is left). Its documentation asks for
 * `loop_wait + 2 * retry_timeout <= ttl`, which a TTL below 5 s breaks: that is in Patroni's favour here. Later versions
 * name 20 s as the least TTL.
 */
export const PATRONI_PACE = { loopWaitS: 1, retryTimeoutS: 2 } as const;

const local = (port: number): string => `127.0.0.1:${port}`;

/** The text of one member's configuration file. */
export function patroniConfig({ member, etcdPorts, binDir, ttlS, password }: PatroniOptions): string {
  const { name, home, postgresPort, restPort } = member;
  return stringify({
    scope: 'bench',
    namespace: '/bench/',
    name,
    restapi: { listen: local(restPort), connect_address: local(restPort) },
    etcd3: { hosts: etcdPorts.map(local) },
    bootstrap: {
      dcs: {
        ttl: ttlS,
        loop_wait: PATRONI_PACE.loopWaitS,
        retry_timeout: PATRONI_PACE.retryTimeoutS,
        synchronous_mode: true,
        postgresql: {
          use_pg_rewind: false,
          // As Capstan sets them; the last would otherwise cost a follower up to 5 s.
          parameters: {
            shared_buffers: '128MB',
            max_wal_size: '1GB',
            wal_keep_size: '512MB',
            wal_retrieve_retry_interval: '100ms',
          },
        },
      },
      initdb: [{ encoding: 'UTF8' }, { locale: 'C.UTF-8' }, 'data-checksums'],
    },
    postgresql: {
      listen: local(postgresPort),
      connect_address: local(postgresPort),
      data_dir: `${home}/data`,
      bin_dir: binDir,
      pgpass: `${home}/pgpass`,
      authentication: {
        superuser: { username: 'bench', password },
        replication: { username: 'bench_replication', password },
      },
      parameters: { unix_socket_directories: home, password_encryption: 'scram-sha-256' },
      pg_hba: [
        'host all all 127.0.0.1/32 scram-sha-256',
        'host replication bench_replication 127.0.0.1/32 scram-sha-256',
      ],
    },
    watchdog: { mode: 'off' },
  });
}
