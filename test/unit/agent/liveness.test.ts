import { expect, test } from 'vitest';
import { AgentLiveness } from '../../../src/agent/liveness.ts';
import { refusedError, unknownError } from '../../../src/domain/errors.ts';

/** An etcd that only grants leases: each one is lost when the test says so. */
function granting() {
  const granted: { id: string; lose: () => void; closed: boolean }[] = [];
  let refusals = 0;
  return {
    granted,
    refuse: (times: number) => (refusals = times),
    grantLiveness: async () => {
      if (refusals > 0) {
        refusals -= 1;
        throw new Error('no quorum');
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      const entry = { id: `l${granted.length + 1}`, lose: resolve, closed: false };
      granted.push(entry);
      return {
        id: entry.id,
        lost: promise,
        close: async () => {
          entry.closed = true;
          resolve();
        },
      };
    },
  };
}

const idOf = async (liveness: AgentLiveness) => liveness.write(async (id) => id);

test('writes share one lease, also when they ask for it at once', async () => {
  const etcd = granting();
  const liveness = new AgentLiveness(etcd, 5_000);
  expect(await Promise.all([idOf(liveness), idOf(liveness)])).toEqual(['l1', 'l1']);
  expect(await idOf(liveness)).toBe('l1');
});

test('a lease that was lost is replaced at the next write', async () => {
  const etcd = granting();
  const liveness = new AgentLiveness(etcd, 5_000);
  await idOf(liveness);
  etcd.granted[0]?.lose();
  await expect.poll(() => idOf(liveness)).toBe('l2');
});

test('a lease that etcd does not know any more is replaced; any other failure keeps it', async () => {
  const liveness = new AgentLiveness(granting(), 5_000);
  const fail = (error: Error) =>
    liveness.write(async () => {
      throw error;
    });
  const lost = unknownError('no reply', { code: 'etcd_outcome_unknown' });
  await expect(fail(lost)).rejects.toBe(lost);
  expect(await idOf(liveness)).toBe('l1');
  const gone = refusedError('gone', { code: 'etcd_lease_gone' });
  await expect(fail(gone)).rejects.toBe(gone);
  expect(await idOf(liveness)).toBe('l2');
});

test('a grant that fails fails its writes, and is asked for again', async () => {
  const etcd = granting();
  etcd.refuse(1);
  const liveness = new AgentLiveness(etcd, 5_000);
  await expect(idOf(liveness)).rejects.toThrow('no quorum');
  await expect.poll(() => idOf(liveness).catch(() => 'none')).toBe('l1');
});

test('closing revokes what is held, and nothing when nothing is', async () => {
  const etcd = granting();
  const liveness = new AgentLiveness(etcd, 5_000);
  await liveness.close();
  await idOf(liveness);
  await liveness.close();
  expect(etcd.granted.map(({ closed }) => closed)).toEqual([true]);
});
