import { listOperations } from '../controlplane/operation/journal.ts';
import { formatDurationMs } from '../domain/duration.ts';
import type { OperationRecord } from '../domain/operation-records.ts';
import type { Check, Finding } from './types.ts';

/** No operation has failed or stopped halfway: each one that runs has moved within the deadlines of its steps. */
export const operationsStuck: Check = {
  name: 'operations-stuck',
  claim: 'no operation has failed or stopped halfway',
  asks: 'etcd (the journal)',
  timeoutMs: 4_000,
  async run({ etcd, keys, snapshot }) {
    const [{ estate, readAtMs }, operations] = await Promise.all([
      snapshot(),
      listOperations({ etcd, keys, limit: Infinity }),
    ]);
    const { freezeMs, promoteMs, openMs } = estate.contract.value.deadlines;
    const silenceMaxMs = Math.max(freezeMs, promoteMs, openMs);
    const unfinished = operations.filter(({ status }) => status === 'running' || status === 'failed');
    const orphans = [...estate.clusters.values()].filter(
      ({ activeOperation }) =>
        activeOperation !== undefined && !operations.some(({ id }) => id === activeOperation.value),
    );
    const findings = [
      ...unfinished.map((operation) => judge({ operation, readAtMs, silenceMaxMs })),
      ...orphans.map(({ name, activeOperation }): Finding => ({
        status: 'fail',
        subject: name,
        cluster: name,
        message: `it is held by operation ${activeOperation?.value ?? ''}, which the journal doesn't know`,
      })),
    ];
    if (findings.length > 0) return findings;
    const figure = `0 of ${operations.length} unfinished`;
    return [
      {
        status: 'pass',
        subject: 'operations',
        message: 'none is unfinished',
        figure,
        asked: 'etcd',
        sampleAgeMs: 0,
      },
    ];
  },
};

function judge(options: {
  readonly operation: OperationRecord;
  readonly readAtMs: number;
  readonly silenceMaxMs: number;
}): Finding {
  const { operation, readAtMs, silenceMaxMs } = options;
  const silentMs = Math.max(0, readAtMs - Date.parse(operation.updatedAt));
  const stuck = operation.status === 'failed' || silentMs > silenceMaxMs;
  return {
    status: stuck ? 'fail' : 'pass',
    subject: operation.id,
    cluster: operation.cluster,
    message:
      operation.status === 'failed'
        ? `failed in ${operation.phase}: ${operation.error?.message ?? 'no reason recorded'}`
        : `${operation.phase}, driven by ${operation.coordinator.id}`,
    figure: `last step ${formatDurationMs(silentMs)} ago`,
    budget: `a step within ${formatDurationMs(silenceMaxMs)}`,
    sampleAgeMs: 0,
    asked: 'etcd',
    ...(stuck ? { next: `capstan operation resume ${operation.id}` } : {}),
  };
}
