import { setTimeout as delay } from 'node:timers/promises';
import { ask, chapter, promise, request, run, say, showOrder, until } from './stage.mjs';

const BEFORE = 'demo-before-the-move';
const BUDGET = ['--pause-budget', '3s'];
/** A hand-over that takes too long on a busy machine is backed out; nothing is lost by asking again. */
const TRIES = 3;
const PACE_MS = 100;
const AT_ONCE = 8;

/** A few shards go from c1 to c2 while a desk goes on reserving; `issuers` are of c1. */
export async function moveShards({ gateway, issuers }) {
  chapter('Shards move to the other cluster, and nobody notices');
  const routes = await Promise.all(issuers.map((issuer) => routeOf(issuer)));
  const [issuer] = issuers;
  const shards = routes.map(({ shard }) => shard).join(',');
  say(`c1 gives ${issuers.join(', ')} (shards ${shards}) to c2. One more reservation before that:`);
  const body = { issuer_id: issuer, notional: '1000', reservation_token: BEFORE };
  const before = await request({ ...gateway('new-york'), method: 'POST', path: '/reservations', body });
  say(
    'From now on a desk in each region reserves without a pause. The rows are copied, followed and compared:',
  );
  const desk = startDesk({ gateway, issuers });
  try {
    const named = ['--shards', shards, '--to', 'c2', '--any-region'];
    const copied = await run('rebalance', 'start', ...named, ...BUDGET, '--yes');
    promise('both sides hold the same rows', copied.status === 0);
    const { data } = await ask('operation', 'list');
    const id = data.operations.find(({ kind }) => kind === 'rebalance')?.id;
    say('The hand-over: callers wait in the gateways for a moment, and go on at the new owner.');
    promise('c2 has taken them over', await handOver(id));
    const atHandOver = desk.confirmed.length;
    await until(async () => desk.confirmed.length > atHandOver + 10);
    await run('rebalance', 'complete', id, '--confirm=c1');
  } finally {
    await desk.stop();
  }
  say(`${desk.confirmed.length} reservations were confirmed meanwhile, ${desk.others.length} were not`);
  promise('no desk saw an error from the move', desk.confirmed.length > 0 && desk.others.length === 0);
  await tellOwner({ issuer, before, desk, gateway });
}

async function handOver(id) {
  for (let tries = 1; tries <= TRIES; tries += 1) {
    const { status } = await run('rebalance', 'cutover', id, ...BUDGET, '--confirm=c1');
    if (status === 0) return true;
    await run('rebalance', 'verify', id, '--yes');
  }
  return false;
}

/** The new owner answers for what the old one had decided. */
async function tellOwner({ issuer, before, desk, gateway }) {
  const { cluster } = await routeOf(issuer);
  say(`And the token from before the move, asked of ${cluster}:`);
  const resolved = await run('token', 'resolve', BEFORE, '--issuer', issuer);
  promise(
    'a token from before the move resolves after it, at the new owner',
    cluster === 'c2' && resolved.status === 0 && resolved.stdout.includes(before.body.commit_token),
  );
  let found = 0;
  const left = [...desk.confirmed];
  const look = async () => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) {
      const path = `/reservation-tokens/${one.token}?issuer_id=${one.issuer}`;
      const answer = await request({ ...gateway('madrid'), path, quiet: true });
      if (answer.status === 200 && answer.body.commit_token === one.commitToken) found += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, look));
  showOrder(`${found} of ${desk.confirmed.length} are found, with the same commit tokens`);
  promise('every decision went along', found === desk.confirmed.length);
}

const routeOf = async (issuer) => (await ask('map', 'route', issuer)).data;

/** Reserves a little of one issuer after another, in both regions, until it is stopped. */
function startDesk({ gateway, issuers }) {
  const confirmed = [];
  const others = [];
  const stopping = new AbortController();
  const reserving = ['new-york', 'madrid'].map(async (region) => {
    for (let n = 0; !stopping.signal.aborted; n += 1) {
      const issuer = issuers[n % issuers.length];
      const token = `demo-move-${region}-${n}`;
      const body = { issuer_id: issuer, notional: '1', reservation_token: token };
      const order = { ...gateway(region), method: 'POST', path: '/reservations', body, quiet: true };
      const answer = await request(order).catch((error) => ({ body: { status: String(error) } }));
      if (answer.body.status === 'confirmed')
        confirmed.push({ token, issuer, commitToken: answer.body.commit_token });
      else others.push(answer.body);
      await delay(PACE_MS);
    }
  });
  return {
    confirmed,
    others,
    stop: async () => {
      stopping.abort();
      await Promise.all(reserving);
    },
  };
}
