import { openBootstrap } from '../../controlplane/leader-records.ts';
import { escapeIdentifier } from 'pg';
import { readSecret } from '../../config/secrets.ts';
import { closeConnection } from '../../postgres/connection.ts';
import { initDatabase } from '../../postgres/init-database.ts';
import { ensureRoles, type RolePasswords } from '../../reservations/roles.ts';
import { migrate } from '../../reservations/migrate.ts';
import { type AgentContext, connectLocally } from '../context.ts';
import { newIncarnation } from '../incarnation.ts';
import type { LocalPostgres } from '../local-postgres.ts';
import { adopt } from './adopt.ts';
import { startPrimary } from './configure.ts';
import { register } from './register.ts';
import type { Work } from '../work.ts';

/**
 * Makes the cluster's first database and opens term 1. Every step may be repeated: an agent that was killed goes on where it
 * was. No lease is granted by it: that waits for the expected followers.
 */
export async function bootstrap(work: Work, context: AgentContext, postgres: LocalPostgres): Promise<void> {
  const { view, authority, signal } = work;
  const { clock, memory, logger, etcd, keys, cluster, member } = context;
  if ((await postgres.data()) === 'absent') {
    const incarnation = newIncarnation(clock);
    await memory.update({ building: 'bootstrap', incarnation });
    await initDatabase({
      binaries: context.binaries,
      dataDir: context.files.dataDir,
      osUser: context.config.postgres.osUser,
      superuserPassword: await secretOf(context, 'superuser'),
    });
    await memory.update({ building: null });
    logger.info({ incarnation }, 'database initialised');
  }
  if ((await postgres.pid()) === undefined) await startBare(work, context);
  await createDatabase(context);
  const client = await connectLocally(context, {
    role: 'superuser',
    purpose: 'bootstrap',
    statementTimeoutMs: 60_000,
  });
  try {
    await ensureRoles({ client, passwords: await rolePasswords(context) });
    const { applied } = await migrate({ client });
    logger.info({ applied: applied.length }, 'schema migrated');
  } finally {
    await closeConnection(client);
  }
  if (signal.aborted) return;
  await adopt(work, 'bootstrap');
  if (view.members.get(member)?.value.incarnation !== memory.value.incarnation) await register(work);
  const opened = await openBootstrap({
    etcd,
    keys,
    cluster,
    authority,
    member,
    actor: `agent:${member}`,
    clock,
  });
  if (opened !== undefined) logger.info({ term: opened.value.term }, 'the cluster is open');
}

/** The estate's database isn't there yet, so whether it answers is asked of `postgres`. */
async function startBare(work: Work, context: AgentContext): Promise<void> {
  const answers = async () => {
    const client = await connectLocally(context, {
      role: 'superuser',
      purpose: 'start',
      database: 'postgres',
    }).catch(() => undefined);
    if (client !== undefined) await closeConnection(client);
    return client !== undefined;
  };
  await startPrimary(work, answers);
}

async function createDatabase(context: AgentContext): Promise<void> {
  const { database } = context.config.postgres;
  const client = await connectLocally(context, {
    role: 'superuser',
    purpose: 'bootstrap',
    database: 'postgres',
    statementTimeoutMs: 60_000,
  });
  try {
    const { rows } = await client.query('select 1 from pg_database where datname = $1', [database]);
    if (rows.length === 0) await client.query(`create database ${escapeIdentifier(database)}`);
  } finally {
    await closeConnection(client);
  }
}

const secretOf = (context: AgentContext, role: keyof AgentContext['config']['postgres']['passwords']) =>
  readSecret(context.config.postgres.passwords[role], `postgres.passwords.${role}`);

async function rolePasswords(context: AgentContext): Promise<RolePasswords> {
  const [replication, gateway, app, agent, operator, reader] = await Promise.all([
    secretOf(context, 'replication'),
    secretOf(context, 'gateway'),
    secretOf(context, 'app'),
    secretOf(context, 'agent'),
    secretOf(context, 'operator'),
    secretOf(context, 'reader'),
  ]);
  return { replication, gateway, app, agent, operator, reader };
}
