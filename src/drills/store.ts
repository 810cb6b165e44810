import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isName } from '../domain/identifiers.ts';
import { refusedError } from '../domain/errors.ts';
import { stateRoot } from '../sandbox/folders.ts';
import type { DrillResult } from './result.ts';

/** Older runs are removed, but for the latest of each drill. */
const RUNS_KEPT = 100;
/** A run that has no result by then was ended; its history was there to be looked at. */
const UNFINISHED_KEPT_MS = 86_400_000;

/** Where drills' results and histories are kept: one folder a run, below the state folder, whatever sandbox it was on. */
export class DrillStore {
  readonly folder: string;

  constructor(environment?: NodeJS.ProcessEnv) {
    this.folder = join(stateRoot(environment), 'drills');
  }

  /** Makes the folder of a run. */
  async open(id: string): Promise<{ readonly history: string }> {
    await mkdir(join(this.folder, id), { recursive: true });
    return { history: join(this.folder, id, 'history.jsonl') };
  }

  /** Keeps a result, whole or not at all, and removes what is older than the bound. */
  async save(result: DrillResult): Promise<void> {
    const file = this.#resultFile(result.id);
    await writeFile(`${file}.new`, `${JSON.stringify(result, null, 2)}\n`);
    await rename(`${file}.new`, file);
    await this.#removeOld();
  }

  /** Throws CapstanError `drill_run_not_found` (exit 4). */
  async read(id: string): Promise<DrillResult> {
    const found = isName(id) ? await this.#readResult(id) : undefined;
    if (found !== undefined) return found;
    throw refusedError(`there is no run ${JSON.stringify(id)} of a drill`, {
      code: 'drill_run_not_found',
      next: 'capstan drill report lists the latest run of each drill',
    });
  }

  /** Every run that has a result, the latest first. */
  async list(): Promise<DrillResult[]> {
    const results = await Promise.all((await this.#ids()).map((id) => this.#readResult(id)));
    return results
      .filter((result) => result !== undefined)
      .toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
  }

  /** The latest run of each drill, by the drill's name. */
  async latestByDrill(): Promise<ReadonlyMap<string, DrillResult>> {
    return latestOf(await this.list());
  }

  async #removeOld(): Promise<void> {
    const all = await this.list();
    const latest = new Set([...latestOf(all).values()].map(({ id }) => id));
    for (const { id } of all.slice(RUNS_KEPT)) {
      if (!latest.has(id)) await this.#remove(id);
    }
    const finished = new Set(all.map(({ id }) => id));
    for (const id of await this.#ids()) {
      const { mtimeMs } = await stat(join(this.folder, id));
      if (!finished.has(id) && Date.now() - mtimeMs > UNFINISHED_KEPT_MS) await this.#remove(id);
    }
  }

  #remove(id: string): Promise<void> {
    return rm(join(this.folder, id), { recursive: true, force: true });
  }

  async #ids(): Promise<string[]> {
    try {
      return (await readdir(this.folder)).filter(isName);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  /** Undefined for a run that has no result: it goes on, or was ended before it was judged. */
  async #readResult(id: string): Promise<DrillResult | undefined> {
    try {
      const result = JSON.parse(await readFile(this.#resultFile(id), 'utf8')) as DrillResult;
      // One that was kept before faults could follow one another lacks it.
      const { rounds = null } = result.options as Partial<DrillResult['options']>;
      return { ...result, options: { ...result.options, rounds } };
    } catch {
      return undefined;
    }
  }

  #resultFile(id: string): string {
    return join(this.folder, id, 'result.json');
  }
}

function latestOf(newestFirst: readonly DrillResult[]): ReadonlyMap<string, DrillResult> {
  const latest = new Map<string, DrillResult>();
  for (const result of newestFirst) if (!latest.has(result.drill)) latest.set(result.drill, result);
  return latest;
}
