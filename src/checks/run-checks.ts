import type { EstateConfig } from '../config/estate-config.ts';
import { readEstateSnapshot } from '../controlplane/estate-snapshot.ts';
import type { Keys } from '../controlplane/keys.ts';
import { messageOf } from '../domain/errors.ts';
import type { EtcdPort } from '../etcd/port.ts';
import { MemberPanel } from './member-panel.ts';
import type { Check, CheckContext, CheckResult, CheckStatus, ReadinessReport } from './types.ts';

export interface RunChecksOptions {
  readonly checks: readonly Check[];
  readonly config: EstateConfig;
  readonly keys: Keys;
  readonly region: string | undefined;
  readonly etcd: EtcdPort;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs all checks at once, each within its own time limit. Never throws for what it can't find out: a check that throws or
 * runs out of time is `unknown`, and so is every check when etcd can't be asked.
 */
export async function runChecks(options: RunChecksOptions): Promise<ReadinessReport> {
  const started = performance.now();
  const { checks, config, keys, region, etcd, signal = new AbortController().signal } = options;
  let snapshot: ReturnType<CheckContext['snapshot']> | undefined;
  const shared = {
    config,
    keys,
    region,
    etcd,
    members: new MemberPanel({ config, region }),
    snapshot: () => {
      snapshot ??= readEstateSnapshot(etcd, keys, { signal }).then((estate) => ({
        estate,
        readAtMs: Date.now(),
      }));
      return snapshot;
    },
  };
  const results = (await Promise.all(checks.map((check) => runOne(check, { ...shared, signal })))).flat();
  const count = (status: CheckStatus) => results.filter((result) => result.status === status).length;
  const counts = {
    pass: count('pass'),
    fail: count('fail'),
    unknown: count('unknown'),
    skipped: count('skipped'),
  };
  return {
    ready: counts.pass > 0 && counts.fail === 0 && counts.unknown === 0,
    counts,
    results,
    tookMs: Math.round(performance.now() - started),
    at: new Date().toISOString(),
  };
}

async function runOne(check: Check, context: CheckContext): Promise<CheckResult[]> {
  const unknown = (message: string): CheckResult[] => [
    { check: check.name, subject: 'estate', status: 'unknown', message },
  ];
  const timeout = AbortSignal.timeout(check.timeoutMs);
  const signal = AbortSignal.any([context.signal, timeout]);
  const { promise: stopped, resolve } = Promise.withResolvers<CheckResult[]>();
  const stop = () => {
    resolve(unknown(timeout.aborted ? `no answer within ${check.timeoutMs} ms` : 'the run was stopped'));
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const findings = check.run({ ...context, signal }).then(
      (found) =>
        found.length === 0
          ? unknown('it found nothing to judge')
          : found.map((finding) => ({ check: check.name, ...finding })),
      (error: unknown) => unknown(messageOf(error)),
    );
    return await Promise.race([findings, stopped]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
