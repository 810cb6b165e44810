import { DeskProxies } from '../../src/drills/faults/desk-switch.ts';
import type { Ground } from '../../src/drills/faults/types.ts';
import type { HistoryEntry } from '../../src/drills/history/types.ts';
import { sandboxEnvironment } from '../../src/sandbox/environment.ts';
import { SandboxPaths } from '../../src/sandbox/folders.ts';
import { requireSandboxState } from '../../src/sandbox/state.ts';

export interface FaultGround extends Ground {
  readonly desks: DeskProxies;
  /** What faults recorded, in order. */
  readonly lines: HistoryEntry[];
}

/** A sandbox as a drill sees it. Sandbox control in this process goes by CAPSTAN_STATE_DIR, as the command line's does. */
export async function faultGround(
  name: string,
  { issuers, signal }: { readonly issuers?: readonly string[]; readonly signal?: AbortSignal } = {},
): Promise<FaultGround> {
  const paths = new SandboxPaths(name);
  const state = await requireSandboxState(paths);
  const environment = await sandboxEnvironment(paths, state);
  const lines: HistoryEntry[] = [];
  return {
    paths,
    state,
    environment,
    issuers,
    desks: await DeskProxies.open(environment.gateways),
    lines,
    recorder: { now: () => performance.now(), record: (entry) => lines.push(entry) },
    signal: signal ?? new AbortController().signal,
  };
}
