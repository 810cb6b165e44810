import type { Clock } from '../../src/clock/clock.ts';
import { acknowledgeBlock } from '../../src/controlplane/automatic/block.ts';
import { pauseCluster, unpauseCluster } from '../../src/controlplane/automatic/pause.ts';
import type { Keys } from '../../src/controlplane/keys.ts';
import { runFailover } from '../../src/controlplane/failover/run.ts';
import type { MembershipAction } from '../../src/controlplane/membership/plan-types.ts';
import { runMembership } from '../../src/controlplane/membership/run.ts';
import type { OperationProgress, OperationResult } from '../../src/controlplane/operation/run.ts';
import { abortOperation, resumeOperation } from '../../src/controlplane/operation/control.ts';
import { runSwitchover } from '../../src/controlplane/switchover/run.ts';
import { assertNever, CapstanError } from '../../src/domain/errors.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import type { Planted } from './planted.ts';
import { carryOutRebalance, type RebalanceTask } from './sim-rebalance.ts';
import { simSides } from './sim-sides.ts';
import type { SimEnvironment } from './sim-postgres.ts';
import type { SimProcess } from './process.ts';

export type CoordinatorTask =
  | { readonly kind: 'run'; readonly force: boolean; readonly target: string | null }
  | { readonly kind: 'switchover'; readonly target: string | null; readonly pauseBudgetMs: number }
  | {
      readonly kind: 'regional';
      readonly region: string;
      readonly acceptLoss?: number | undefined;
      readonly attestIsolated?: string | undefined;
    }
  | {
      readonly kind: 'membership';
      readonly action: MembershipAction;
      readonly member: string;
      readonly region: string;
      readonly asLearner: boolean;
      readonly acceptDegraded: boolean;
    }
  | { readonly kind: 'resume'; readonly id: string; readonly acceptLoss?: number | undefined }
  | { readonly kind: 'abort'; readonly id: string }
  | { readonly kind: 'pause' | 'unpause' | 'acknowledge' }
  | RebalanceTask;

export interface SimCoordinator {
  readonly process: SimProcess;
  readonly task: CoordinatorTask;
  /** Undefined while it runs; a dead one never ends. */
  ended: string | undefined;
  /** What the error says to do next. */
  advice: string;
}

/** The real coordinator as a process of its own, which can be paused and killed at any of its awaits. */
export function startCoordinator(options: {
  readonly process: SimProcess;
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly cluster: string;
  readonly task: CoordinatorTask;
  readonly planted: Planted;
  readonly environment: SimEnvironment;
}): SimCoordinator {
  const { process, etcd, keys, cluster, task, planted, environment } = options;
  const { scheduler } = process;
  const clock = clockFor(process, planted);
  const started: SimCoordinator = { process, task, ended: undefined, advice: '' };
  const common = { etcd, keys, actor: process.name, clock };
  const sides = () => Promise.resolve(simSides({ process, etcd, keys, environment }));
  const onProgress = ({ detail }: OperationProgress) => scheduler.note(`${process.name}: ${detail ?? ''}`);
  const noted = (id: string) => (id.startsWith('rebalance-') ? onProgress : undefined);
  const reason = 'as a person wants it';
  const work = async (): Promise<string> => {
    switch (task.kind) {
      case 'run':
        return endOf(await runFailover({ ...common, cluster, force: task.force, target: task.target }));
      case 'switchover': {
        const { target, pauseBudgetMs } = task;
        return endOf(await runSwitchover({ ...common, cluster, target, pauseBudgetMs }));
      }
      case 'regional': {
        const { region, acceptLoss, attestIsolated } = task;
        const about = { region, acceptLoss, attestIsolated, force: true };
        return endOf(await runFailover({ ...common, ...about, cluster }));
      }
      case 'membership': {
        const { kind: _, ...about } = task;
        const { operation } = await runMembership({ ...common, ...about, cluster });
        return operation === null ? 'unchanged' : `membership ${about.action} ${operation.status}`;
      }
      case 'resume':
        return endOf(
          await resumeOperation({
            ...common,
            sides,
            id: task.id,
            acceptLoss: task.acceptLoss,
            onProgress: noted(task.id),
          }),
        );
      case 'abort':
        return endOf(await abortOperation({ ...common, sides, id: task.id }));
      case 'pause':
        return changed(await pauseCluster({ ...common, cluster, reason, forMs: null }));
      case 'unpause':
        return changed(await unpauseCluster({ ...common, cluster }));
      case 'acknowledge':
        return changed(await acknowledgeBlock({ ...common, cluster, reason }));
      case 'rebalance':
      case 'goal':
      case 'hold':
        return carryOutRebalance(task, { ...common, sides, onProgress });
      default:
        return assertNever(task);
    }
  };
  const run = async () => {
    try {
      started.ended = await work();
    } catch (error) {
      // Anything but a CapstanError is a bug of the coordinator: the world's check sees it.
      if (error instanceof CapstanError) started.advice = error.next ?? '';
      started.ended = error instanceof CapstanError ? error.code : `bug: ${String(error)}`;
    }
    scheduler.note(`${process.name} ${task.kind}: ${started.ended}`);
  };
  scheduler.note(`${process.name} begins: ${task.kind}`);
  void run();
  return started;
}

const endOf = ({ operation }: OperationResult): string => `${operation.kind} ${operation.status}`;
const changed = (result: { readonly changed: boolean }): string => (result.changed ? 'changed' : 'unchanged');

/** Planted: one on which ten seconds pass in one. */
function clockFor({ clock, host }: SimProcess, planted: Planted): Clock {
  return planted === 'waits-by-a-fast-clock'
    ? { ...clock, monotonicMs: () => 10 * host.monotonicMs() }
    : clock;
}
