import { ApplyWorker } from './apply-worker.ts';
import type { SimServer } from './sim-server.ts';

/** Begins and ends workers as the catalog says, on a primary. */
export class ApplyLauncher {
  readonly #server: SimServer;
  readonly #workers = new Map<string, ApplyWorker>();
  /** Since the server started. */
  readonly errors = new Map<string, number>();

  constructor(server: SimServer) {
    this.#server = server;
  }

  workerOf(name: string): ApplyWorker | undefined {
    return this.#workers.get(name);
  }

  failed(name: string): void {
    this.errors.set(name, (this.errors.get(name) ?? 0) + 1);
    void this.#end(name);
  }

  /** Resolves once every worker that isn't wanted has ended. */
  async look(): Promise<void> {
    const { mode, tables, answers } = this.#server;
    const wanted = mode === 'primary' && answers ? tables.moves.subscriptions : new Map<string, never>();
    const over = [...this.#workers.keys()].filter((name) => wanted.get(name)?.enabled !== true);
    for (const { name, enabled } of wanted.values())
      if (enabled && !this.#workers.has(name)) this.#workers.set(name, new ApplyWorker(this.#server, name));
    await Promise.all(over.map((name) => this.#end(name)));
  }

  async #end(name: string): Promise<void> {
    const worker = this.#workers.get(name);
    this.#workers.delete(name);
    await worker?.stop();
  }

  leave(): void {
    for (const worker of this.#workers.values()) worker.leave();
    this.#workers.clear();
  }
}
