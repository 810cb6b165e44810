import type { PauseResult } from '../../controlplane/automatic/pause.ts';
import { facts } from '../render/section.ts';
import type { CommandResult } from '../result.ts';
import type { ClusterPauseData } from '../schemas/cluster.ts';

/** What `cluster pause` and `cluster unpause` answer. */
export function pauseResult(kind: string, cluster: string, result: PauseResult): CommandResult {
  const data: ClusterPauseData = { ...result, cluster };
  const { changed, pause, activeOperation } = data;
  return {
    kind,
    data,
    names: [`cluster/${cluster}`],
    warnings:
      pause === null || activeOperation === null
        ? []
        : [`operation ${activeOperation} was begun before and goes on while its coordinator lives`],
    view: () => [
      facts([
        ['cluster', cluster],
        ['automatic failover', pause === null ? 'not paused' : `paused by ${pause.by}`],
        ['reason', pause?.reason],
        ['since', pause?.since],
        ['until', pause === null ? null : (pause.until ?? `capstan cluster unpause ${cluster}`)],
        ['changed', changed ? 'yes' : 'no: it was so already'],
      ]),
    ],
  };
}
