import { z } from 'zod';
import { CLIENT_ID_RULE } from '../domain/identifiers.ts';
import { PROBLEM_CODES } from './problem.ts';

/**
 * The API's documents. The OpenAPI document is generated from these, and the cold paths check requests with them; the
 * hot path has its own checks (hot-requests.ts), which a test holds equal to these.
 */
const clientId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$/, CLIENT_ID_RULE)
  .meta({ description: CLIENT_ID_RULE });

const AMOUNT_RULE = 'a decimal of at most two places, up to 10^15; as text, or as a number up to 2^53 cents';
const amountInput = z
  .union([z.string().regex(/^(0|[1-9]\d{0,15})(\.\d{1,2})?$/, AMOUNT_RULE), z.number()], AMOUNT_RULE)
  .meta({ description: AMOUNT_RULE });
const amountOutput = z.string().regex(/^-?\d+\.\d{2}$/);
const position = z.string().regex(/^\d+$/);
const commitToken = z.string().meta({ examples: ['shard184@982441~7.3'] });

export const reserveRequest = z
  .strictObject({
    issuer_id: clientId,
    notional: amountInput,
    reservation_token: clientId.optional(),
    reservation_id: clientId.optional(),
  })
  .meta({
    id: 'ReserveRequest',
    description: 'The header Idempotency-Key is an alias of reservation_token; one of both is required.',
  });

export const releaseRequest = z
  .strictObject({ issuer_id: clientId, reservation_token: clientId.optional() })
  .meta({ id: 'ReleaseRequest' });

const PLAIN_TEXT_RULE = 'must be plain text: no control characters and no halves of surrogate pairs';

export const limitRequest = z
  .strictObject({
    limit: amountInput,
    reservation_token: clientId.optional(),
    // Postgres takes neither a NUL nor half a surrogate pair, and the whole batch would fail with it.
    reason: z
      .string()
      .trim()
      .min(1)
      .max(500)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u, PLAIN_TEXT_RULE)
      .optional(),
  })
  .meta({ id: 'LimitRequest', description: 'With a reason, the change is logged as a correction.' });

export const settleRequest = z.strictObject({ issuer_id: clientId }).meta({ id: 'SettleRequest' });

const decided = {
  reservation_token: clientId,
  commit_token: commitToken,
  shard: z.int().min(0),
  position,
};
const replayed = z.boolean().meta({ description: 'The token had this outcome already.' });
const lost = z
  .strictObject({
    operation: z.string(),
    commit_token: commitToken,
    outcome: z.string(),
    maybe_acknowledged: z.boolean(),
  })
  .meta({ description: 'A decision under this token that a failover lost, by its signed-off report.' });
const lost_before = lost.optional();
export const confirmedReply = z
  .strictObject({
    status: z.literal('confirmed'),
    reservation_id: clientId,
    ...decided,
    remaining: amountOutput,
    replayed,
    lost_before,
  })
  .meta({ id: 'Confirmed' });
export const limitReply = z
  .strictObject({
    status: z.literal('confirmed'),
    ...decided,
    limit: amountOutput,
    reserved: amountOutput,
    remaining: amountOutput,
    replayed,
    lost_before,
  })
  .meta({ id: 'LimitSet', description: 'remaining is negative when the issuer is over its limit.' });
export const rejectedReply = z
  .strictObject({
    status: z.literal('rejected'),
    reason: z.enum(['insufficient_headroom', 'already_released']),
    ...decided,
    remaining: amountOutput,
    replayed,
    lost_before,
  })
  .meta({ id: 'Rejected', description: 'A decision, and final for its token.' });
export const abandonedReply = z
  .strictObject({ status: z.literal('abandoned'), ...decided, replayed, lost_before })
  .meta({ id: 'Abandoned', description: 'The token was settled before this command was decided.' });
export const unknownReply = z
  .strictObject({ status: z.literal('unknown'), reservation_token: clientId, resolve: z.string() })
  .meta({ id: 'Unknown', description: 'The command may have been decided; ask at `resolve`.' });

export const evidence = z
  .strictObject({
    shard: z.int().nullable(),
    cluster: z.string().nullable(),
    member: z.string().nullable(),
    generation: z.int().nullable(),
    term: z.int().nullable(),
    epoch: z.int().nullable(),
    position: position.nullable(),
    commit_token: commitToken.nullable(),
    lease_left_ms: z.number().nullable(),
    degraded: z.boolean().nullable(),
  })
  .meta({
    id: 'Evidence',
    description: 'Who answered, under which authority, and how long its right still ran. Null: not known.',
  });
export const tokenReply = z
  .strictObject({
    status: z.enum(['confirmed', 'rejected', 'abandoned', 'lost']),
    issuer_id: clientId,
    reservation_token: clientId,
    command: z.enum(['reserve', 'release', 'set-limit', 'correct', 'settle']).nullable(),
    reservation_id: clientId.nullable(),
    reason: z.string().nullable(),
    commit_token: commitToken.nullable(),
    remaining: amountOutput.nullable(),
    decided_at: z.string().nullable(),
    lost: lost.nullable(),
    evidence,
  })
  .meta({ id: 'TokenOutcome' });

export const issuerReply = z
  .strictObject({
    issuer_id: clientId,
    shard: z.int(),
    limit: amountOutput,
    reserved: amountOutput,
    remaining: amountOutput,
    over_limit: z.boolean(),
    open_count: z.int(),
    position,
  })
  .meta({ id: 'Issuer', description: 'remaining is negative when the issuer is over its limit.' });

export const openReservationsReply = z
  .strictObject({
    issuer_id: clientId,
    shard: z.int(),
    position,
    reservations: z.array(
      z.strictObject({
        reservation_id: clientId,
        desk: clientId,
        notional: amountOutput,
        reservation_token: clientId,
        decided_position: position,
        decided_at: z.string(),
      }),
    ),
    next_after: clientId.nullable(),
    at: commitToken.nullable(),
    next: z.string().nullable(),
  })
  .meta({
    id: 'OpenReservations',
    description:
      'Ordered by reservation_id. All pages show the state at one position if each is asked for with `at` of the first: `next` is that request; null on the last page.',
  });

export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(PROBLEM_CODES as [string, ...string[]]),
    field: z.string().optional(),
    instance: z.string(),
    effect: z.literal('none').optional(),
    asked: z
      .array(
        z.strictObject({
          cluster: z.string(),
          member: z.string(),
          term: z.int(),
          epoch: z.int(),
          lease_left_ms: z.number(),
        }),
      )
      .optional()
      .meta({
        description:
          'With `token_not_found`: each authority that a search without an issuer asked; else empty.',
      }),
  })
  .meta({
    id: 'Problem',
    description: 'RFC 9457. `effect: none` promises that the refused command changed nothing.',
  });

export const health = z
  .looseObject({
    status: z.literal('alive'),
    gateway: z.string(),
    region: z.string(),
    version: z.string(),
    lapsed_claims: z.array(
      z.strictObject({
        cluster: z.string(),
        promise: z.string(),
        claim: z.string(),
        reason: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'Health', description: 'Liveness only: a lapsed claim is shown and fails nothing.' });

const rpoReport = z.strictObject({
  claim: z.enum(['advertised', 'withdrawn', 'lapsed', 'unknown', 'none']),
  reason: z.string().nullable(),
  lag_ms: z.number().nullable().meta({ description: 'Null: not known, which is not zero.' }),
  budget_ms: z.number().nullable(),
  valid_until: z.string().nullable(),
  action: z.enum(['throttle', 'close', 'degrade']).nullable().meta({ description: 'By the contract.' }),
  acts: z.boolean().meta({ description: 'Whether the action is taken now.' }),
});
const promise = z.strictObject({ kept: z.boolean(), reason: z.string().nullable() });
export const readiness = z
  .strictObject({
    ready: z.boolean(),
    reason: z.string().nullable(),
    view_age_ms: z.number().nullable(),
    clusters: z.array(
      z.strictObject({
        cluster: z.string(),
        leader: z.string().nullable(),
        term: z.int().nullable(),
        promises: z.strictObject({ decisions: promise, durability: promise, rpo: promise }),
        rpo: rpoReport,
      }),
    ),
  })
  .meta({
    id: 'Readiness',
    description:
      'Without parameters: whether this gateway can serve anything. One cluster in trouble drains no other.',
  });

const STALENESS_MS_MAX = 86_400_000;
const bounds = {
  commit_token: commitToken
    .optional()
    .meta({ description: 'The answer reflects it. The header Capstan-Commit-Token is an alias.' }),
  max_staleness_ms: z.coerce
    .number()
    .int()
    .min(0)
    .max(STALENESS_MS_MAX)
    .optional()
    .meta({ description: 'The answer lacks nothing that was confirmed longer ago.' }),
  when_behind: z.enum(['leader', 'wait', 'fail']).optional().meta({
    description:
      'Where no follower of this region is within the bounds: ask the leader, wait for the follower first, or fail. The contract has the default.',
  }),
};
export const issuerQuery = z.strictObject(bounds);
export const openReservationsQuery = z.strictObject({
  after: clientId.optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  at: commitToken
    .optional()
    .meta({ description: 'The state to show: `at` of the first page, so that all pages show one state.' }),
  ...bounds,
});
export const readinessQuery = z.strictObject({
  cluster: z.string().optional(),
  promise: z.enum(['decisions', 'durability', 'rpo']).optional(),
});
export const tokenQuery = z.strictObject({ issuer_id: clientId.optional() });
export const pathId = clientId;
