import { CapstanError } from '../domain/errors.ts';
import type { EtcdPort, LivenessLease } from '../etcd/port.ts';

/**
 * The one etcd lease under which an agent writes what must not outlive it: its heartbeat, and the claim of its cluster. A
 * lease that etcd has ended is replaced at the next write. It grants nothing.
 */
export class AgentLiveness {
  readonly #etcd: Pick<EtcdPort, 'grantLiveness'>;
  readonly #ttlMs: number;
  #lease: Promise<LivenessLease> | undefined;

  constructor(etcd: Pick<EtcdPort, 'grantLiveness'>, ttlMs: number) {
    this.#etcd = etcd;
    this.#ttlMs = ttlMs;
  }

  /** Runs a write that names the lease; one that etcd no longer knows is forgotten, and the write fails. */
  async write<T>(put: (leaseId: string) => Promise<T>): Promise<T> {
    const held = (this.#lease ??= this.#grant());
    try {
      return await put((await held).id);
    } catch (error) {
      if (error instanceof CapstanError && error.code === 'etcd_lease_gone') this.#forget(held);
      throw error;
    }
  }

  async close(): Promise<void> {
    const held = this.#lease;
    this.#lease = undefined;
    try {
      await (await held)?.close();
    } catch {
      // One that was not granted, or can't be revoked, ends by itself.
    }
  }

  #grant(): Promise<LivenessLease> {
    const granting = this.#etcd.grantLiveness(this.#ttlMs);
    void this.#forgetWhenOver(granting);
    return granting;
  }

  async #forgetWhenOver(granting: Promise<LivenessLease>): Promise<void> {
    try {
      await (
        await granting
      ).lost;
    } catch {
      // It was not granted: whoever writes is told, and the next write asks again.
    }
    this.#forget(granting);
  }

  #forget(held: Promise<LivenessLease>): void {
    if (this.#lease === held) this.#lease = undefined;
  }
}
