import { loadEstateConfig } from '../config/estate-config.ts';
import { planOf } from '../controlplane/failover/plan-types.ts';
import { Keys } from '../controlplane/keys.ts';
import { listLosses, readLost } from '../controlplane/loss/find.ts';
import { readOperation } from '../controlplane/operation/journal.ts';
import { formatCommitToken } from '../domain/commit-token.ts';
import type { LossRecord, LostDecision } from '../domain/loss-records.ts';
import type { OperationRecord } from '../domain/operation-records.ts';
import { etcdReaderFromConfig } from '../etcd/from-config.ts';
import type { SandboxEnvironment } from '../sandbox/environment.ts';
import type { HistoryEntry } from './history/types.ts';

/**
 * What failovers to another region have lost since a moment: a `loss` line each, as its journal and its report tell of it, and a
 * `lost` line for each decision of these issuers that it names.
 */
export async function readLostLines(about: {
  readonly environment: SandboxEnvironment;
  readonly issuers: readonly string[];
  /** ISO 8601, UTC. */
  readonly since: string;
}): Promise<readonly HistoryEntry[]> {
  const { environment, issuers, since } = about;
  const config = await loadEstateConfig(environment.config);
  const etcd = await etcdReaderFromConfig(config);
  const keys = new Keys(config.estate);
  const own = new Set(issuers);
  const lines: HistoryEntry[] = [];
  try {
    for (const { value } of await listLosses(etcd, keys)) {
      if (value.since < since) continue;
      const { value: operation } = await readOperation({ etcd, keys, id: value.operation });
      lines.push(lossLine(value, operation));
      for (const entry of await readLost(etcd, keys, value))
        if (own.has(entry.issuer)) lines.push(lostLine(value.operation, entry));
    }
  } finally {
    etcd.close();
  }
  return lines;
}

function lossLine(loss: LossRecord, operation: OperationRecord): HistoryEntry {
  const forecast = planOf(operation).loss.forecast;
  const decided = operation.steps.findLast(({ name }) => name === 'decide')?.result?.['loss'];
  const { allowed, accepted } = (decided ?? {}) as {
    readonly allowed?: number;
    readonly accepted?: number | null;
  };
  return {
    kind: 'loss',
    cluster: loss.cluster,
    operation: loss.operation,
    former_term: loss.formerTerm,
    forecast: forecast?.total ?? null,
    exposure_ms: forecast?.exposureMs ?? null,
    budget_ms: forecast?.budgetMs ?? 0,
    accepted: accepted ?? null,
    allowed: allowed ?? 0,
    lost: loss.lost,
  };
}

const lostLine = (operation: string, entry: LostDecision): HistoryEntry => ({
  kind: 'lost',
  issuer: entry.issuer,
  token: entry.token,
  commit_token: formatCommitToken({
    shard: entry.shard,
    position: BigInt(entry.position),
    generation: entry.generation,
    term: entry.term,
  }),
  operation,
});
