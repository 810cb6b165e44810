import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Contract } from '../domain/contract.ts';
import { parseDurationMs } from '../domain/duration.ts';
import { lapseAfterMs } from '../domain/failover-policy.ts';
import { messageOf, usageError } from '../domain/errors.ts';

const duration = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== undefined) return ms;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(text)} is not a duration such as 250ms, 3s or 10m`,
  });
  return z.NEVER;
});
const count = z.int().positive();
/** What the decision path takes in one call. */
const COMMANDS_MAX = 1_000;

const schema = z.strictObject({
  version: z.literal(1),
  lease: z.strictObject({ ttl: duration, renewEvery: duration, margin: duration, drift: duration }),
  durability: z.strictObject({ openDegraded: z.boolean() }),
  rpo: z.strictObject({
    budget: duration,
    gate: duration,
    release: duration,
    action: z.enum(['throttle', 'close', 'degrade']),
    throttle: z.strictObject({ decisionsPerSecond: count }).optional(),
  }),
  rto: z.strictObject({ max: duration }),
  failover: z
    .strictObject({
      automatic: z.boolean(),
      grace: duration,
      deadAfter: duration.optional(),
      adoptAfter: duration,
      flap: z.strictObject({ max: count, within: duration }),
    })
    .optional(),
  movePause: z.strictObject({ max: duration }),
  deadlines: z.strictObject({
    decision: duration,
    read: duration,
    lockWait: duration,
    etcd: duration,
    freeze: duration,
    promote: duration,
    open: duration,
  }),
  projections: z
    .strictObject({ dashboardBudget: duration, searchBudget: duration, riskBudget: duration })
    .optional(),
  log: z
    .strictObject({
      beatEvery: duration,
      idleBeatEvery: duration,
      pollEvery: duration,
      idlePollEvery: duration,
    })
    .optional(),
  reads: z.strictObject({ whenBehind: z.enum(['leader', 'wait']), waitMax: duration }).optional(),
  admission: z.strictObject({
    queuePerShardMax: count,
    batchCommandsMax: count.max(COMMANDS_MAX, `must be at most ${COMMANDS_MAX}`),
  }),
  liveness: z.strictObject({ heartbeatEvery: duration, heartbeatTtl: duration, clockSkewMax: duration }),
});

/** Budgets that contradict each other would make a promise that can't be kept: each line names both fields. */
function contradictions(contract: Contract): string[] {
  const { lease, rpo, deadlines, liveness } = contract;
  const rules: readonly [boolean, string][] = [
    [
      lease.renewEveryMs * 2 + lease.marginMs < lease.ttlMs,
      'lease.ttl must exceed twice lease.renewEvery plus lease.margin',
    ],
    [lease.ttlMs >= 2_000, 'lease.ttl must be at least 2s'],
    [rpo.gateMs < rpo.budgetMs, 'rpo.gate must be below rpo.budget'],
    [rpo.releaseMs < rpo.gateMs, 'rpo.release must be below rpo.gate'],
    [
      rpo.action !== 'throttle' || rpo.throttle !== undefined,
      'rpo.throttle.decisionsPerSecond is required when rpo.action is throttle',
    ],
    [
      rpo.action === 'throttle' || rpo.throttle === undefined,
      `rpo.throttle has no effect when rpo.action is ${rpo.action}: leave it out, or set rpo.action to throttle`,
    ],
    [deadlines.lockWaitMs < deadlines.decisionMs, 'deadlines.lockWait must be below deadlines.decision'],
    ...failoverRules(contract),
    ...readingRules(contract),
    [
      liveness.heartbeatEveryMs * 2 < liveness.heartbeatTtlMs,
      'liveness.heartbeatTtl must exceed twice liveness.heartbeatEvery',
    ],
  ];
  return rules.filter(([holds]) => !holds).map(([, rule]) => rule);
}

function failoverRules(contract: Contract): readonly [boolean, string][] {
  const { failover, lease, liveness, rto } = contract;
  if (failover === undefined) return [];
  const lapseMs = lapseAfterMs(contract);
  const { deadAfterMs = lapseMs } = failover;
  return [
    [
      deadAfterMs > liveness.heartbeatEveryMs && deadAfterMs > lease.renewEveryMs,
      'failover.deadAfter must exceed liveness.heartbeatEvery and lease.renewEvery: a living agent may be silent for that long',
    ],
    [
      failover.adoptAfterMs > liveness.heartbeatTtlMs,
      'failover.adoptAfter must exceed liveness.heartbeatTtl: a coordinator may be silent for that long',
    ],
    [
      lapseMs + failover.adoptAfterMs + liveness.heartbeatTtlMs < rto.maxMs,
      'rto.max must exceed lease.ttl, lease.drift, failover.grace, failover.adoptAfter and liveness.heartbeatTtl together',
    ],
    [
      failover.flap.withinMs > failover.flap.max * lapseMs,
      'failover.flap.within must exceed failover.flap.max times lease.ttl plus lease.drift plus failover.grace, or it never bounds anything',
    ],
  ];
}

function readingRules({ log, reads, deadlines }: Contract): readonly [boolean, string][] {
  return [
    [log === undefined || log.beatEveryMs > 0, 'log.beatEvery must be more than nothing'],
    [
      log === undefined || log.beatEveryMs <= log.idleBeatEveryMs,
      'log.idleBeatEvery must be at least log.beatEvery',
    ],
    [log === undefined || log.pollEveryMs > 0, 'log.pollEvery must be more than nothing'],
    [
      log === undefined || log.pollEveryMs <= log.idlePollEveryMs,
      'log.idlePollEvery must be at least log.pollEvery',
    ],
    [reads === undefined || reads.waitMaxMs < deadlines.readMs, 'reads.waitMax must be below deadlines.read'],
  ];
}

/**
 * Reads a contract's YAML text. Throws CapstanError `contract_invalid` (exit 2) that names each field at fault.
 */
export function parseContract(text: string, source: string): Contract {
  const invalid = (problems: readonly string[]) =>
    usageError(`${source}: ${problems.join('; ')}`, { code: 'contract_invalid', data: { problems } });
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    throw invalid([messageOf(error)]);
  }
  const parsed = schema.safeParse(document);
  if (!parsed.success) throw invalid(issueLines(parsed.error));
  const {
    version,
    lease,
    durability,
    rpo,
    rto,
    failover,
    movePause,
    deadlines,
    log,
    reads,
    projections,
    admission,
    liveness,
  } = parsed.data;
  const contract: Contract = {
    version,
    lease: { ttlMs: lease.ttl, renewEveryMs: lease.renewEvery, marginMs: lease.margin, driftMs: lease.drift },
    durability,
    rpo: {
      budgetMs: rpo.budget,
      gateMs: rpo.gate,
      releaseMs: rpo.release,
      action: rpo.action,
      ...(rpo.throttle === undefined ? {} : { throttle: rpo.throttle }),
    },
    rto: { maxMs: rto.max },
    ...(failover === undefined
      ? {}
      : {
          failover: {
            automatic: failover.automatic,
            graceMs: failover.grace,
            ...(failover.deadAfter === undefined ? {} : { deadAfterMs: failover.deadAfter }),
            adoptAfterMs: failover.adoptAfter,
            flap: { max: failover.flap.max, withinMs: failover.flap.within },
          },
        }),
    movePause: { maxMs: movePause.max },
    deadlines: {
      decisionMs: deadlines.decision,
      readMs: deadlines.read,
      lockWaitMs: deadlines.lockWait,
      etcdMs: deadlines.etcd,
      freezeMs: deadlines.freeze,
      promoteMs: deadlines.promote,
      openMs: deadlines.open,
    },
    ...(projections === undefined
      ? {}
      : {
          projections: {
            dashboardMs: projections.dashboardBudget,
            searchMs: projections.searchBudget,
            riskMs: projections.riskBudget,
          },
        }),
    ...(log === undefined
      ? {}
      : {
          log: {
            beatEveryMs: log.beatEvery,
            idleBeatEveryMs: log.idleBeatEvery,
            pollEveryMs: log.pollEvery,
            idlePollEveryMs: log.idlePollEvery,
          },
        }),
    ...(reads === undefined ? {} : { reads: { whenBehind: reads.whenBehind, waitMaxMs: reads.waitMax } }),
    admission,
    liveness: {
      heartbeatEveryMs: liveness.heartbeatEvery,
      heartbeatTtlMs: liveness.heartbeatTtl,
      clockSkewMaxMs: liveness.clockSkewMax,
    },
  };
  const problems = contradictions(contract);
  if (problems.length > 0) throw invalid(problems);
  return contract;
}

/** Reads a contract file; a missing file is `contract_unreadable` (exit 2). */
export async function loadContract(path: string): Promise<Contract> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw usageError(`contract ${path} can't be read: ${messageOf(error)}`, {
      code: 'contract_unreadable',
      cause: error,
    });
  }
  return parseContract(text, path);
}

/** One line an issue: `lease.ttl: …`. */
export function issueLines(error: z.ZodError): string[] {
  return error.issues.map((issue) => `${issue.path.join('.') || '(top level)'}: ${issue.message}`);
}
