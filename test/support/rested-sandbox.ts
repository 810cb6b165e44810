/** A sandbox's folder as it was at rest, from which it can be had again without bootstrapping, cloning and seeding. */
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export class RestedSandbox {
  readonly #folder: string;
  readonly #copy: string;
  readonly #mark: string;

  constructor(stateDir: string, name: string) {
    this.#folder = join(stateDir, 'sandboxes', name);
    this.#copy = join(stateDir, 'rested', name);
    this.#mark = `${this.#copy}.in-use`;
  }

  get made(): boolean {
    return existsSync(this.#copy);
  }

  get inUse(): boolean {
    return existsSync(this.#mark);
  }

  take(): void {
    writeFileSync(this.#mark, '');
  }

  /** Keeps the sandbox, all of whose processes have ended, as it is. */
  async keep(): Promise<void> {
    const half = `${this.#copy}.half`;
    await mkdir(dirname(half), { recursive: true });
    await rm(half, { recursive: true, force: true });
    await run('cp', ['-a', this.#folder, half]);
    await rename(half, this.#copy);
  }

  /** Puts the copy where a sandbox is looked for, unless it is there. */
  async place(): Promise<void> {
    if (!existsSync(this.#folder)) await run('cp', ['-a', this.#copy, this.#folder]);
  }

  /** At once, so that the ports that are in it stay its own. */
  async giveBack(): Promise<void> {
    await this.place();
    await rm(this.#mark, { force: true });
  }
}
