/** One member's agent as a process of its own, with what it writes in a file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./agent-main.ts', import.meta.url));

export class TestAgent {
  readonly member: string;
  readonly log: string;
  readonly #source: string;
  #child: ChildProcess | undefined;

  constructor(member: string, source: string, folder: string) {
    this.member = member;
    this.#source = source;
    this.log = join(folder, `${member}.agent.log`);
  }

  start(): void {
    const log = openSync(this.log, 'a');
    this.#child = spawn(process.execPath, [MAIN, this.#source, this.member], { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  get running(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends the process and waits until it has. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.running) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}
