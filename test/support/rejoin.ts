/** What rejoin tests share: a failover as an operator runs it, and rows that only the old leader holds. */
import type { Client } from 'pg';
import { findPostmaster } from '../../src/agent/postmaster.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import { runRejoin, type RunRejoinOptions } from '../../src/controlplane/rejoin/run.ts';
import { resumeOperation } from '../../src/controlplane/operation/control.ts';
import type { OperationResult } from '../../src/controlplane/operation/run.ts';
import { stepResult } from '../../src/controlplane/operation/record.ts';
import { CapstanError, ExitCode } from '../../src/domain/errors.ts';
import type { LossChunk, LostDecision } from '../../src/domain/loss-records.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import { CLUSTER, type TestEstate } from './agents.ts';

/**
 * Rows that were flushed by this member alone: a commit that doesn't wait, made when nobody receives any more. The head is left
 * alone: its commit check would ask for a lease.
 */
export async function writeAlone(
  client: Client,
  given: {
    readonly shard: number;
    readonly first: bigint;
    readonly term: number;
    readonly tokens: readonly string[];
  },
): Promise<void> {
  const { shard, first, term, tokens } = given;
  await client.query('set synchronous_commit = local');
  for (const [index, token] of tokens.entries()) {
    const position = String(first + BigInt(index));
    await client.query(
      `with one as (
         insert into capstan.reservation_token (shard_id, issuer_id, reservation_token, command, desk, body_hash, outcome,
             reservation_id, amount_cents, reserved_after, limit_after, position, generation, term, decided_at)
           values ($1, 'MUNI-9', $2, 'reserve', 'desk-1', decode(repeat('ab', 32), 'hex'), 'confirmed', 'R-' || $2, 100, 100,
             1000, $3, 1, $4, now())
           returning 1)
       insert into capstan.outbox (shard_id, position, generation, term, event, issuer_id, desk, reservation_token,
           reservation_id, amount_cents, reserved_after, limit_after, decided_at)
         select $1, $3, 1, $4, 'reserved', 'MUNI-9', 'desk-1', $2, 'R-' || $2, 100, 100, 1000, now() from one`,
      [shard, token, position, term],
    );
  }
}

/** Kills a leader's agent, freezes its cluster's followers by a failover, and answers with the old Postgres still up. */
export async function failOverFrom(
  world: TestEstate,
  leader: string,
  whileFenced?: () => Promise<void>,
): Promise<OperationRecord> {
  await world.agent(leader).end('SIGKILL');
  let fenced: Promise<void> | undefined;
  const running = runFailover({
    etcd: world.port,
    keys: world.keys,
    cluster: CLUSTER,
    actor: 'test',
    force: true,
    acceptDegraded: true,
    onProgress: ({ step, state }) => {
      if (step === 'freeze' && state === 'finished') fenced ??= whileFenced?.();
    },
  });
  const { operation } = await patiently(world, running);
  await fenced;
  return operation;
}

/** The file of one that has ended may still name it, or whoever got its number since. */
export async function killPostgres(world: TestEstate, member: string): Promise<void> {
  const found = await findPostmaster(world.dataDir(member));
  if (found !== undefined) process.kill(found.pid, 'SIGKILL');
}

/** Ends the old Postgres as a crash would and starts its agent again, until it is quarantined. */
export async function comeBack(world: TestEstate, member: string): Promise<void> {
  await killPostgres(world, member);
  world.agent(member).start();
  await world.until(
    `${member} is quarantined`,
    ({ heartbeats }) => heartbeats.get(member)?.value.state === 'quarantined',
  );
}

export const rejoin = (world: TestEstate, member: string, options: Partial<RunRejoinOptions> = {}) =>
  patiently(
    world,
    runRejoin({
      etcd: world.port,
      keys: world.keys,
      cluster: CLUSTER,
      member,
      method: 'rewind',
      actor: 'test',
      ...options,
    }),
  );

const PATIENCE_MS = 120_000;

/** What stopped only because its time was up is gone on with, as an operator on a slow machine would. */
async function patiently(world: TestEstate, work: Promise<OperationResult>): Promise<OperationResult> {
  const deadline = performance.now() + PATIENCE_MS;
  for (let next = work; ;) {
    try {
      return await next;
    } catch (error) {
      const id = error instanceof CapstanError ? error.data['operation'] : undefined;
      const late = error instanceof CapstanError && error.exit === ExitCode.unknown;
      if (!late || typeof id !== 'string' || performance.now() > deadline) throw error;
      next = resumeOperation({ etcd: world.port, keys: world.keys, id, actor: 'test' });
    }
  }
}

export const resultOf = (operation: OperationRecord, step: string) => stepResult(operation, step) ?? {};

export async function salvagedEntries(
  world: TestEstate,
  under: string,
  member: string,
): Promise<readonly LostDecision[]> {
  const { kvs } = await world.port.range(world.keys.salvageChunks(under, member));
  return kvs.flatMap(({ value }) => (JSON.parse(value) as LossChunk).entries);
}
