import type { Keys } from '../controlplane/keys.ts';
import type { EtcdPort } from '../etcd/port.ts';
import { text } from './render/section.ts';
import type { CommandResult } from './result.ts';
import type { RebalancePauseData } from './schemas/rebalance.ts';

/** `capstan rebalance pause|unpause`: low risk and undone by the other one, so nothing is asked. */
export async function runPauseCommand(about: {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly kind: string;
  readonly operation: string;
  readonly paused: boolean;
  readonly shards: readonly number[] | undefined;
  readonly reason: string | undefined;
}): Promise<CommandResult> {
  const { kind, operation, paused, ...request } = about;
  const [{ pauseRebalance }, { currentActor }] = await Promise.all([
    import('../controlplane/rebalance/pause-streams.ts'),
    import('../controlplane/actor.ts'),
  ]);
  const { changed, streams } = await pauseRebalance({
    ...request,
    id: operation,
    paused,
    actor: currentActor(),
  });
  const data: RebalancePauseData = { changed, operation, paused, streams: [...streams] };
  const state = paused ? 'paused' : 'going on';
  return {
    kind,
    data,
    names: [`operation/${operation}`],
    view: () => [
      text(
        changed
          ? `${operation}: streams ${streams.join(', ')} are ${state}`
          : `${operation}: ${state} already; nothing changed`,
      ),
    ],
  };
}
