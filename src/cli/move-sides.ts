import type { EtcdReader } from '../etcd/port.ts';
import type { MoveSides } from '../controlplane/rebalance/ports.ts';
import type { Estate } from './estate.ts';

/** Runs `use` with what compares the rows of both sides, which is opened when it is asked for and closed at the end. */
export async function withMoveSides<T>(
  { etcd, estate }: { readonly etcd: EtcdReader; readonly estate: Estate },
  use: (sides: () => Promise<MoveSides>) => Promise<T>,
): Promise<T> {
  let opened: Promise<MoveSides> | undefined;
  try {
    return await use(() => (opened ??= open(etcd, estate)));
  } finally {
    await opened?.then(
      (sides) => sides.close(),
      () => undefined,
    );
  }
}

async function open(etcd: EtcdReader, estate: Estate): Promise<MoveSides> {
  const { postgresSides } = await import('../controlplane/rebalance/verify/postgres-sides.ts');
  return postgresSides({ etcd, keys: estate.keys, connect: await leaderConnections(estate) });
}

/** How leaders are reached as an operator. */
export async function leaderConnections({ config, region }: Estate) {
  const { connectSide } = await import('../controlplane/rebalance/verify/connect-side.ts');
  return connectSide({ config, region });
}
