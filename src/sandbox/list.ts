import { SandboxPaths } from './folders.ts';
import { inspectProcesses } from './inspect.ts';
import { readSandboxState, sandboxNames } from './state.ts';

export interface SandboxSummary {
  readonly name: string;
  readonly config: string;
  /** Null for one whose `up` was ended before it was made. */
  readonly createdAt: string | null;
  readonly running: number;
  readonly total: number;
}

/** Every sandbox of the state root with what runs of it, half-made ones too. */
export async function listSandboxes(): Promise<SandboxSummary[]> {
  const summaries: SandboxSummary[] = [];
  for (const name of await sandboxNames()) {
    const paths = new SandboxPaths(name);
    const state = await readSandboxState(paths).catch(() => undefined);
    const inspected = await inspectProcesses(paths);
    summaries.push({
      name,
      config: paths.config,
      createdAt: state?.createdAt ?? null,
      running: inspected.filter((one) => one.state === 'running').length,
      total: inspected.length,
    });
  }
  return summaries;
}
