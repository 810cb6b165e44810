import { readRecord, rangeRecords } from '../../controlplane/store.ts';
import type { EstateView } from '../../controlplane/estate-watch.ts';
import { assertNever, refusedError } from '../../domain/errors.ts';
import { type MoveRecord, otherOf, type Positions } from '../../domain/move-records.ts';
import type { ShardRecord } from '../../domain/records.ts';
import { sealShards, wipeShards } from '../../reservations/moves-sql.ts';
import type { MemberContext } from '../context.ts';
import type { Session } from '../local-session.ts';
import type { MoveStep } from './decide-step.ts';
import type { MoveGround } from './ground.ts';
import type { SlotMaker } from './slot-maker.ts';
import {
  ADVANCE_SLOT,
  createPublication,
  createSubscription,
  detach,
  DROP_SLOT,
  dropPublication,
  END_USER_OF_SLOT,
  setApplying,
} from './statements.ts';

/** Of one chunk: short enough that nothing waits for it for long. */
export const WIPE_ROWS = 5_000;

export interface StepTools {
  readonly context: MemberContext;
  readonly ground: MoveGround;
  /** A superuser's, that waits for no follower. */
  readonly admin: Session;
  /** The agent role's. */
  readonly agent: Session;
  readonly slots: SlotMaker;
}

export interface StepRound {
  readonly record: MoveRecord;
  readonly estate: EstateView;
  readonly term: number;
  /** Fires when what the step was decided on has changed. */
  readonly signal: AbortSignal;
}

/** Carries one step out; what it throws is shown, and the step is decided anew. Answers the positions of a seal. */
export async function carryOutStep(
  step: Exclude<MoveStep, { kind: 'rest' | 'lost' }>,
  tools: StepTools,
  round: StepRound,
): Promise<Positions | undefined> {
  const { admin, slots } = tools;
  const { record } = round;
  switch (step.kind) {
    case 'detach':
      for (const name of step.names) await detachSubscription(admin, name);
      return undefined;
    case 'drop-slots':
      for (const name of step.names) await dropSlot(admin, name);
      return undefined;
    case 'drop-publications':
      for (const name of step.names) await admin.query(dropPublication(name));
      return undefined;
    case 'publish':
      await admin.query(createPublication(step.name, record.shards));
      return undefined;
    case 'make-slot':
      slots.begin(step.name);
      return undefined;
    case 'wipe':
      await wipe(tools, round);
      return undefined;
    case 'subscribe':
      await subscribe(tools, round, step);
      return undefined;
    case 'apply':
      await admin.query(setApplying(step.name, step.on));
      return undefined;
    case 'advance':
      await admin.query(ADVANCE_SLOT, [step.name, step.lsn]);
      return undefined;
    case 'seal':
      return seal(tools, round);
    default:
      return assertNever(step);
  }
}

/** Its workers have ended when this resolves. */
export async function detachSubscription(admin: Session, name: string): Promise<void> {
  for (const statement of detach(name)) await admin.query(statement);
}

/** One that is still in use is looked for at the next step. */
export async function dropSlot(admin: Session, name: string): Promise<void> {
  await admin.query(END_USER_OF_SLOT, [name]);
  await admin.query(DROP_SLOT, [name]);
}

async function subscribe(
  { admin, ground, context }: StepTools,
  { record, estate }: StepRound,
  { name, copy }: Extract<MoveStep, { kind: 'subscribe' }>,
): Promise<void> {
  const leader = estate.clusters.get(record.owner)?.authority?.value.leader;
  if (leader === undefined || leader === null) throw new Error(`cluster ${record.owner} has no leader`);
  const source = await ground.sourceOf(record.owner, leader, name);
  await admin.query(createSubscription(name, source, { copy }));
  const { operation, stream, attempt, leg } = record;
  context.logger.info({ operation, stream, attempt, leg, subscription: name, copy }, 'subscribed');
}

/** `clean` wipes what no later copy can be confused with: it counts as one more attempt. */
export const wipeAttempt = ({ phase, attempt }: MoveRecord): number =>
  phase === 'clean' ? attempt + 1 : attempt;

/** Chunk by chunk, after etcd itself was asked whether the rows may go. */
async function wipe({ agent, context }: StepTools, { record, signal }: StepRound): Promise<void> {
  const { etcd, keys, cluster, contract, logger } = context;
  const call = { timeoutMs: contract.deadlines.etcdMs };
  const { records, revision } = await rangeRecords<ShardRecord>(etcd, keys.shards, call);
  const own = record.shards.filter((shard) => {
    const entry = records.get(keys.shard(shard));
    return entry === undefined || entry.value.cluster === cluster;
  });
  const stored = await readRecord<MoveRecord>(etcd, keys.move(record.operation, record.stream), call);
  const { phase, attempt, operation, shards } = record;
  const same = stored?.value.phase === phase && stored.value.attempt === attempt;
  if (!same || otherOf(stored.value) !== cluster) return;
  if (own.length > 0) {
    throw refusedError(`nothing is wiped: the map gives shards ${own.join(', ')} to ${cluster}`, {
      code: 'wipe_refused',
      next: 'cancel the move and read its operation',
    });
  }
  let deleted = 0;
  for (;;) {
    if (signal.aborted) return;
    const about = { operation, attempt: wipeAttempt(record), revision, shards, rowsMax: WIPE_ROWS };
    const chunk = await agent.use((client) => wipeShards(client, about));
    deleted += chunk.deleted;
    if (chunk.left === 0) break;
  }
  logger.info({ operation, stream: record.stream, attempt, phase, rows: deleted }, 'rows wiped');
}

/** Whoever holds a shard up for longer than the pause may last isn't waited for. */
async function seal(
  { agent, context }: StepTools,
  { record, estate, term }: StepRound,
): Promise<Positions | undefined> {
  const { cluster, logger } = context;
  if (record.seal === null) return undefined;
  const { id: marker, budgetMs } = record.seal;
  const entries = record.shards.map((shard) => estate.shards.get(shard)?.value);
  const shards = entries.filter((entry) => entry?.cluster === cluster && entry.state === 'sealed');
  const sealed = shards.flatMap((entry) => (entry === undefined ? [] : [entry]));
  if (sealed.length !== record.shards.length) throw new Error('the map does not say that they are sealed');
  const positions = await agent.use(async (client) => {
    await client.query(`select set_config('lock_timeout', $1, false)`, [String(Math.ceil(budgetMs))]);
    return sealShards(client, { cluster, term, shards: sealed, marker });
  });
  logger.info({ operation: record.operation, stream: record.stream, seal: marker }, 'sealed');
  return positions;
}
