import { setTimeout as delay } from 'node:timers/promises';
import { postWithoutReply } from './cut-reply.mjs';
import { moveShards } from './move.mjs';
import { refusedByFence } from './old-term.mjs';
import {
  ask,
  chapter,
  promise,
  request,
  run,
  SANDBOX,
  say,
  showOrder,
  until,
  useConfig,
  verdict,
} from './stage.mjs';

const ISSUER = 'MUNI-77';
/** Of c1 as well, and in no other scene. */
const MOVED = ['MUNI-6', 'MUNI-5', 'MUNI-9'];
const OLD_LEADER = 'c1-new-york-1';
const FOLLOWER = 'c1-new-york-2';

/** Plays the whole story and returns the exit status. The sandbox goes down at the end, whatever happened. */
export async function tell({ keep }) {
  const began = performance.now();
  let interrupted = false;
  process.once('SIGINT', () => {
    interrupted = true;
  });
  await ask('sandbox', 'down', '--name', SANDBOX);
  try {
    for (const scene of [start, race, lostReply, move, drill, failover, oldLeader, byItself, readiness]) {
      if (interrupted) return 130;
      await scene();
    }
  } catch (error) {
    promise(`the demonstration runs to its end (${error.stack ?? error})`, false);
  } finally {
    await end({ keep: keep && !interrupted });
  }
  say(`${((performance.now() - began) / 1000).toFixed(0)} s in all`);
  return verdict();
}

/** @type {import('../../src/sandbox/environment.ts').SandboxEnvironment} */
let world;
/** Every commit token that some client was told is confirmed. */
const confirmed = [];

const gateway = (region) => ({
  via: region,
  url: world.gateways.find((one) => one.region === region).url,
  key: world.keys[`desk-${region}`],
});

async function reserve({ region, notional, token, quiet = false }) {
  const body = { issuer_id: ISSUER, notional, reservation_token: token };
  const answer = await request({ ...gateway(region), method: 'POST', path: '/reservations', body, quiet });
  if (answer.body.status === 'confirmed') confirmed.push({ token, commitToken: answer.body.commit_token });
  return answer;
}

async function start() {
  chapter('Two regions, one authority');
  say(
    'A whole estate on this machine: 3 etcd (New York, Madrid, a witness), two clusters of three Postgres,',
  );
  say(
    'an agent beside each, a gateway in each region. All that crosses regions goes through links that can be cut.',
  );
  const up = await run('sandbox', 'up', '--name', SANDBOX);
  if (up.status !== 0) throw new Error('the sandbox did not come up');
  world = (await ask('sandbox', 'env')).data;
  useConfig(world.config);
  say('Who has the authority, under which term, and what proves it:');
  const status = await run('status');
  promise('the estate answers for every cluster', status.status === 0);
  say(`Which cluster decides for the issuer ${ISSUER}?`);
  const route = await run('map', 'route', ISSUER);
  promise(`${ISSUER} is shard 184`, route.stdout.includes('184'));
}

async function race() {
  chapter(`A race for the last headroom of ${ISSUER}`);
  say('Its limit is 1,000,000. A first reservation takes 900,000; 100,000 is left.');
  const first = await reserve({ region: 'new-york', notional: '900000', token: 'demo-first' });
  promise('the first reservation is confirmed, with a commit token', first.body.commit_token !== undefined);
  say('New York and Madrid ask for 75,000 each, at the same moment, through their own gateways:');
  const answers = await Promise.all([
    reserve({ region: 'new-york', notional: '75000', token: 'demo-race-new-york' }),
    reserve({ region: 'madrid', notional: '75000', token: 'demo-race-madrid' }),
  ]);
  const won = answers.filter(({ status }) => status === 201);
  const lost = answers.filter(({ status, body }) => status === 409 && body.status === 'rejected');
  promise('exactly one is confirmed, the other is rejected', won.length === 1 && lost.length === 1);
  const commitToken = won[0]?.body.commit_token;
  if (commitToken === undefined) return;
  say('The commit token names the decision for ever: shard, position, generation, term.');
  await run('token', 'decode', commitToken);
}

async function lostReply() {
  chapter('A reply is lost');
  say(
    'Madrid reserves 10,000; the request arrives, the reply is cut off. The desk does not know what happened:',
  );
  const token = 'demo-lost-reply';
  const body = { issuer_id: ISSUER, notional: '10000', reservation_token: token };
  showOrder(`POST madrid/reservations ${JSON.stringify(body)}   (the network loses the reply)`);
  const { seen, replyWasSent } = await postWithoutReply({
    ...gateway('madrid'),
    path: '/reservations',
    body,
  });
  say(`the desk saw ${seen}`);
  promise('the gateway had answered, and the desk saw nothing of it', replyWasSent && seen.startsWith('no'));
  say('It asks what became of its token:');
  const resolved = await run('token', 'resolve', token, '--issuer', ISSUER);
  promise(
    'the token resolves: it was confirmed',
    resolved.status === 0 && resolved.stdout.includes('confirmed'),
  );
  say('And retries with the same token, which is always safe:');
  const before = await headroom();
  const retry = await reserve({ region: 'madrid', notional: '10000', token });
  promise('the retry is a replay', retry.status === 200 && retry.body.replayed === true);
  promise('nothing was reserved twice', (await headroom()) === before);
}

const headroom = async () =>
  (await request({ ...gateway('new-york'), path: `/issuers/${ISSUER}`, quiet: true })).body.remaining;

const move = () => moveShards({ gateway, issuers: MOVED });

async function drill() {
  chapter('Try to break it');
  say(
    'A drill: hundreds of requests of both desks, some repeated, some with another body, while answers get lost.',
  );
  say('Then everything is read back, and a checker judges what the desks saw, answer by answer:');
  const held = await run('drill', 'run', 'lost-replies', '--seed', '7', '--duration', '8s');
  promise('no rule of the history is broken', held.status === 0);
}

async function failover() {
  chapter('The leader dies');
  const before = (await ask('cluster', 'show', 'c1')).data;
  say('Agents would replace it by themselves. Here an operator does, so they are told to stand back:');
  await run('cluster', 'pause', 'c1', '--reason', 'an operator shows the failover');
  say(`${OLD_LEADER} loses power: agent and Postgres, kill -9.`);
  await run('sandbox', 'kill', OLD_LEADER);
  say('Nobody decides for its shards now: the service says so, and that nothing was changed.');
  const refused = await reserve({ region: 'madrid', notional: '1000', token: 'demo-no-leader' });
  promise('nothing is confirmed without an authority', refused.body.status !== 'confirmed');
  say(
    'The follower in the same region takes over. It has every confirmed decision: each commit waited for it.',
  );
  const took = await run('failover', 'run', 'c1', '--confirm=c1');
  promise('the failover succeeds', took.status === 0);
  const after = (await ask('cluster', 'show', 'c1')).data;
  promise(
    `${FOLLOWER} leads under a new term`,
    after.leader === FOLLOWER && Number(after.term) > Number(before.term),
  );
  const again = await until(async () => {
    const answer = await reserve({ region: 'madrid', notional: '1000', token: 'demo-after', quiet: true });
    return answer.body.status === 'confirmed' ? answer : undefined;
  });
  say('The next decision, under the new term:');
  if (again) showOrder(`POST madrid/reservations  ->  ${again.status} ${again.body.commit_token}`);
  promise('decisions go on', again !== undefined);
  await findAll();
}

/** Everything that was ever told to be confirmed must be found under the new leader. */
async function findAll() {
  let found = 0;
  for (const { token, commitToken } of confirmed) {
    const answer = await request({
      ...gateway('madrid'),
      path: `/reservation-tokens/${token}?issuer_id=${ISSUER}`,
      quiet: true,
    });
    if (answer.status === 200 && answer.body.commit_token === commitToken) found += 1;
  }
  say(
    `${found} of ${confirmed.length} decisions that a desk was told of are found, with the same commit tokens`,
  );
  promise('nothing confirmed was lost', found === confirmed.length);
}

async function oldLeader() {
  chapter('The old leader comes back');
  await run('sandbox', 'start', OLD_LEADER);
  const state = await until(async () => {
    const { data } = await ask('sandbox', 'status');
    const member = data.processes.find(({ name }) => name === OLD_LEADER);
    return member?.memberState === 'quarantined' ? member : undefined;
  });
  await run('member', 'list');
  promise('it is quarantined: its data was a leader’s under an older term', state !== undefined);
  say('A client that still believes in the old term, with a direct connection and valid credentials:');
  const refusal = await refusedByFence({ world, member: FOLLOWER, old: OLD_LEADER });
  for (const line of refusal.lines) showOrder(line);
  promise('the old leader takes no connection', refusal.oldLeaderRefused);
  promise('the fence refuses the old term', refusal.code === 'CP001');
}

async function byItself() {
  chapter('The other leader dies, and nobody is there');
  const { leader, term } = (await ask('cluster', 'show', 'c2')).data;
  say(`${leader}, the leader of c2, loses power. No command follows.`);
  await run('sandbox', 'kill', leader);
  const replaced = await until(async () => {
    const { data } = await ask('cluster', 'show', 'c2');
    return data.leader !== leader && data.lease?.holder === data.leader ? data : undefined;
  });
  promise(
    'its follower’s agent has taken over by itself, under a new term',
    replaced !== undefined && Number(replaced.term) > Number(term),
  );
  const history = await run('cluster', 'history', 'c2');
  promise('its history names the agent that did it', history.stdout.includes(`agent:${replaced?.leader}`));
  await run('cluster', 'unpause', 'c1');
}

async function readiness() {
  chapter('Is every promise kept now?');
  await delay(500);
  const check = await run('readiness', 'check');
  say(
    'Exit 3, evaluated and not ready: both serve, and have no synchronous follower in their region any more.',
  );
  promise('readiness is honest: not ready while they are degraded', check.status === 3);
}

async function end({ keep }) {
  if (keep) {
    say(`The sandbox stays up: eval "$(bin/capstan sandbox env --name ${SANDBOX})"`);
    say(`End it with: bin/capstan sandbox down --name ${SANDBOX}`);
    return;
  }
  chapter('Leave nothing behind');
  const down = await run('sandbox', 'down', '--name', SANDBOX);
  promise('no process and no file is left', down.status === 0);
}
