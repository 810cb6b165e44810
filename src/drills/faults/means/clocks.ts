import { type Client, escapeLiteral } from 'pg';
import { messageOf } from '../../../domain/errors.ts';
import { visit } from './backends.ts';
import { NothingToInjectInto } from './nothing.ts';
import type { Site } from './site.ts';
import { standingOn } from './standing.ts';

/** How far off the asked step the clock may read: the time of the question. */
const READ_WITHIN_MS = 5_000;
const CLOCK = 'capstan.wall_clock()';
/** Begins the comment that keeps the function's own text while another one stands in its place. */
const MARK = 'capstan drill, the clock is stepped; it was: ';

interface Former {
  readonly definition: string;
  readonly comment: string | null;
}

/** Steps the clock that a cluster's fence reads, on its leader, until it is released. */
export async function stepClock(
  site: Site,
  { cluster, leader, stepMs }: { readonly cluster: string; readonly leader: string; readonly stepMs: number },
): Promise<(leaderNow: string) => Promise<void>> {
  const standing = standingOn(site.paths);
  const mine = { stepMs };
  const stepsOf = () => standing.clocks.get(cluster) ?? [];
  await standing.inTurn(`clock of ${cluster}`, async () => {
    await visit(site, leader, (client) => client.query('select 1')).catch((error: unknown) => {
      throw new NothingToInjectInto(`${leader} does not answer: ${messageOf(error)}`);
    });
    await replaceClock(site, leader, stepMs);
    standing.clocks.set(cluster, [...stepsOf(), mine]);
  });
  return (leaderNow) =>
    standing.inTurn(`clock of ${cluster}`, async () => {
      const left = stepsOf().filter((one) => one !== mine);
      standing.clocks.set(cluster, left);
      const last = left.at(-1);
      if (last === undefined) await restoreClock(site, leaderNow);
      else await replaceClock(site, leaderNow, last.stepMs);
    });
}

/**
 * Gives a leader's clock its own text back, exactly, whoever replaced it. Answers whether there was anything to do; throws
 * what Postgres throws, and when the text isn't the former one afterwards.
 */
export const restoreClock = (site: Site, leader: string): Promise<boolean> =>
  visit(site, leader, async (client) => {
    const former = formerOf(await read(client));
    if (former === undefined) return false;
    await changeClock(client, former.definition, former.comment);
    if ((await read(client)).definition !== former.definition)
      throw new Error(`${CLOCK} on ${leader} is not what it was`);
    return true;
  });

/** Whether another text than its own stands in its place. */
export const clockIsStepped = (site: Site, leader: string): Promise<boolean> =>
  visit(site, leader, async (client) => formerOf(await read(client)) !== undefined);

const replaceClock = (site: Site, leader: string, stepMs: number): Promise<void> =>
  visit(site, leader, async (client) => {
    const now = await read(client);
    const former = formerOf(now) ?? now;
    const stepped = `create or replace function ${CLOCK} returns timestamptz language sql volatile
      as $$ select pg_catalog.clock_timestamp() + interval '${Math.trunc(stepMs)} milliseconds' $$`;
    await changeClock(client, stepped, `${MARK}${JSON.stringify(former)}`);
    const { rows } = await client.query<{ off_ms: number }>(
      `select (extract(epoch from ${CLOCK} - clock_timestamp()) * 1000)::float8 as off_ms`,
    );
    if (Math.abs((rows[0]?.off_ms ?? 0) - stepMs) > READ_WITHIN_MS)
      throw new NothingToInjectInto(`the clock of ${leader} did not step`);
  });

/** Both at once, so that the former text is never without its place. The commit doesn't wait for a follower. */
async function changeClock(client: Client, definition: string, comment: string | null): Promise<void> {
  await client.query('begin');
  await client.query('set local synchronous_commit = local');
  await client.query(definition);
  await client.query(`comment on function ${CLOCK} is ${comment === null ? 'null' : escapeLiteral(comment)}`);
  await client.query('commit');
}

async function read(client: Client): Promise<Former> {
  const { rows } = await client.query<Former>(
    `select pg_get_functiondef('${CLOCK}'::regprocedure) as definition,
      obj_description('${CLOCK}'::regprocedure, 'pg_proc') as comment`,
  );
  const [found] = rows;
  if (found === undefined) throw new Error(`there is no ${CLOCK}`);
  return found;
}

const formerOf = ({ comment }: Former): Former | undefined =>
  comment?.startsWith(MARK) === true ? (JSON.parse(comment.slice(MARK.length)) as Former) : undefined;
