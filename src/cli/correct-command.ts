import { randomUUID } from 'node:crypto';
import { type CapstanError, messageOf, refusedError, unknownError, usageError } from '../domain/errors.ts';
import { CLIENT_ID_RULE, isClientId } from '../domain/identifiers.ts';
import { formatAmount, parseAmount } from '../domain/money.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { SentCommand } from '../gateway/send-command.ts';
import type { TokenResolutionOptions } from '../gateway/token-types.ts';
import type { IssuerRead } from '../reservations/types.ts';
import type { Estate } from './estate.ts';
import type { Output } from './output.ts';
import { confirmByName } from './prompt.ts';
import { facts, type Section } from './render/section.ts';
import type { IssuerCorrectData } from './schemas/compliance.ts';
import { withAuthorities } from './token-command.ts';

export interface CorrectOptions {
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly issuer: string;
  readonly limit: string;
  readonly reason: string;
  readonly token: string | undefined;
  readonly dryRun: boolean;
  readonly confirm: string | undefined;
  readonly deadlineMs: number;
  readonly interactive: boolean;
  readonly output: Output;
}

type Asking = Pick<TokenResolutionOptions, 'routes' | 'take'>;

/**
 * Shows the limit before and after as the authority holds it, asks, audits the intent, and sends the correction down the decision path. Under
 * the same token it happens once. What is made of it in the meantime by others is the authority's to say: the event names both.
 */
export async function correctCommand(
  options: CorrectOptions,
): Promise<{ data: IssuerCorrectData; error: CapstanError | undefined; warnings: readonly string[] }> {
  const { etcd, estate, issuer, reason, interactive, confirm, output } = options;
  const limit = checked(options);
  const token = options.token ?? `correct-${randomUUID()}`;
  const [{ appendAudit }, { currentActor, deskOf }, { bodyHash }, { sendCommand }] = await Promise.all([
    import('../controlplane/audit.ts'),
    import('../controlplane/actor.ts'),
    import('../reservations/hash.ts'),
    import('../gateway/send-command.ts'),
  ]);
  return withAuthorities({ etcd, estate }, async (asking) => {
    const before = await readNow(asking, options);
    const planned = planData({ issuer, limit, reason, token, before });
    await output.preview(correctSections(planned));
    if (options.dryRun) return { data: planned, error: undefined, warnings: [] };
    await confirmByName({ interactive, action: `correct the limit of ${issuer}`, name: issuer, confirm });
    const actor = currentActor();
    const desk = deskOf(actor);
    const entry = { actor, action: 'issuer.correct', target: issuer, before: { ...planned.before, token } };
    await appendAudit(etcd, estate.keys, {
      ...entry,
      outcome: 'unknown',
      reason: `${reason}: asked for; the result follows`,
    });
    const hash = bodyHash({ issuer, desk, body: { kind: 'correct', limit, reason } });
    const command = { kind: 'correct', issuer, token, desk, hash, limit: limit.toString(), reason } as const;
    const sent = await sendCommand(asking, command, options.deadlineMs);
    const done = sent.now === 'confirmed';
    const warnings = await appendAudit(etcd, estate.keys, {
      ...entry,
      after: { limit: planned.after.limit, outcome: sent.now, commitToken: sent.commitToken },
      outcome: sent.now === 'unknown' ? 'unknown' : done ? 'done' : 'failed',
      reason: sent.reason ?? reason,
    }).then(
      () => [],
      (error: unknown) => [`the audit log holds the request alone, not its result: ${messageOf(error)}`],
    );
    const data = {
      ...planned,
      changed: done && !sent.replayed,
      outcome: sent.now,
      commitToken: sent.commitToken,
      replayed: sent.replayed,
    };
    return { data, error: done ? undefined : failure(options, token, sent), warnings };
  });
}

function checked({ issuer, token, limit, reason }: CorrectOptions): bigint {
  if (!isClientId(issuer)) {
    throw usageError(`issuer ${JSON.stringify(issuer)}: must be ${CLIENT_ID_RULE}`, {
      code: 'issuer_invalid',
    });
  }
  if (token !== undefined && !isClientId(token)) {
    throw usageError(`token ${JSON.stringify(token)}: must be ${CLIENT_ID_RULE}`, { code: 'token_invalid' });
  }
  const cents = parseAmount(limit);
  if (cents === undefined) {
    throw usageError('--limit must be an amount such as 1500.00', { code: 'flag_invalid' });
  }
  if (!/^[^\p{Cc}\p{Cs}]{1,500}$/u.test(reason.trim())) {
    throw usageError('--reason must be plain text of 1 to 500 characters', { code: 'flag_invalid' });
  }
  return cents;
}

async function readNow(
  { routes, take }: Asking,
  { issuer, deadlineMs }: CorrectOptions,
): Promise<IssuerRead> {
  const [{ readIssuer }, { returnedAs }] = await Promise.all([
    import('../reservations/client.ts'),
    import('../gateway/leader-connections.ts'),
  ]);
  const shard = routes.shardOf(issuer);
  const route = shard === undefined ? undefined : routes.routeOf(shard);
  const { leader } = route ?? { leader: null };
  if (route === undefined || leader === null) throw unread(issuer, route?.absent ?? 'its owner is not known');
  const connection = await take(route.scope.cluster, leader);
  const result = await readIssuer(connection.client, route.scope, { issuer }, { deadlineMs });
  connection.release(returnedAs(result));
  if (result.kind !== 'read') throw unread(issuer, `${leader}: ${result.message}`);
  if (result.found) return result;
  throw refusedError(`issuer ${issuer} has no limit yet: there is nothing to correct`, {
    code: 'issuer_not_found',
    next: 'PUT /issuers/{id}/limit sets one',
  });
}

const unread = (issuer: string, why: string): CapstanError =>
  unknownError(`the authority of ${issuer} gave no limit: ${why}`, {
    code: 'issuer_unread',
    retryable: true,
  });

function planData(plan: {
  issuer: string;
  limit: bigint;
  reason: string;
  token: string;
  before: IssuerRead;
}): IssuerCorrectData {
  const { issuer, limit, reason, token, before } = plan;
  const reserved = BigInt(before.reserved ?? 0);
  return {
    changed: false,
    issuer,
    shard: before.shard,
    token,
    reason,
    before: {
      limit: formatAmount(BigInt(before.limit ?? 0)),
      reserved: formatAmount(reserved),
      position: before.head_position,
    },
    after: { limit: formatAmount(limit), reserved: formatAmount(reserved), overLimit: reserved > limit },
    outcome: 'planned',
    commitToken: null,
    replayed: false,
  };
}

function failure({ issuer, limit, reason }: CorrectOptions, token: string, sent: SentCommand): CapstanError {
  const again = `capstan issuer correct ${issuer} --limit ${limit} --reason ${JSON.stringify(reason)} --token ${token}`;
  const why = sent.reason ?? sent.now;
  return sent.now === 'unknown'
    ? unknownError(`what became of the correction of ${issuer} is unknown: ${why}`, {
        code: 'correction_unknown',
        retryable: true,
        next: again,
      })
    : refusedError(`the correction of ${issuer} was not made: ${why}`, { code: 'correction_refused' });
}

export const correctSections = (data: IssuerCorrectData): Section[] => [
  facts([
    ['issuer', data.issuer],
    ['shard', data.shard],
    ['limit', `${data.before.limit} -> ${data.after.limit}`],
    ['reserved', data.before.reserved],
    ['over limit after', data.after.overLimit],
    ['reason', data.reason],
    ['token', data.token],
    ['outcome', data.outcome],
    ['commit token', data.commitToken],
  ]),
];
