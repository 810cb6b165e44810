import type { DatabaseError } from 'pg';
import type { Clock } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import { messageOf } from '../domain/errors.ts';
import { fenceReasonOf } from '../domain/sqlstate.ts';
import { sqlStateOf } from '../postgres/connection.ts';
import type { SqlClient } from '../postgres/sql-client.ts';
import type { Refused, Unknown, UnknownWhy } from './types.ts';

const LOCK_NOT_AVAILABLE = '55P03';
const ADMIN_SHUTDOWN = '57P01';

interface Notice {
  readonly code: string | undefined;
  readonly message?: string | undefined;
}

/** A connection that also tells of warnings; pg's clients are one. */
export interface AskClient extends SqlClient {
  on(event: 'notice', listener: (notice: Notice) => void): unknown;
  off(event: 'notice', listener: (notice: Notice) => void): unknown;
}

export interface AskOptions {
  /** From before sending; when it passes, the result is `unknown` and the connection must be destroyed. */
  readonly deadlineMs: number;
  /** What the reply is timed by; default: this process's. */
  readonly clock?: Clock;
}

/** An answer counts only within its right; one without a right (a follower's, with its own proof) counts whenever it comes. */
interface Timed {
  readonly left_ms?: number;
}

export interface Answered<T> {
  readonly kind: 'answered';
  readonly answer: T;
  readonly elapsedMs: number;
}

type Reply = { readonly text: string } | { readonly error: unknown } | 'deadline';

/**
 * Sends one fenced call and judges its reply. The clock starts before anything is sent, and the reply counts only at
 * ReadyForQuery (pg settles a query there): rows can arrive while the commit still waits for its follower. Never
 * throws. The call must be alone on the connection.
 */
export async function ask<T extends Timed>(
  client: AskClient,
  sql: string,
  { deadlineMs, clock = systemClock }: AskOptions,
): Promise<Answered<T> | Refused | Unknown> {
  const warnings: string[] = [];
  const onNotice = (notice: Notice) => {
    if (spoilsReply(notice.code)) warnings.push(`${notice.code} ${notice.message ?? ''}`);
  };
  client.on('notice', onNotice);
  const sentAt = clock.monotonicMs();
  try {
    const reply = await within(send(client, sql), deadlineMs, clock);
    const elapsedMs = clock.monotonicMs() - sentAt;
    if (reply === 'deadline') {
      return unknown('deadline', `no reply in ${deadlineMs} ms`, { connectionUsable: false });
    }
    if ('error' in reply) return judgeError(reply.error);
    const answer = JSON.parse(reply.text) as T;
    if (warnings.length > 0) return unknown('warning', warnings.join('; '), { connectionUsable: true });
    if (answer.left_ms !== undefined && elapsedMs >= answer.left_ms) {
      const message = `the reply took ${Math.ceil(elapsedMs)} ms of a right of ${answer.left_ms} ms`;
      return unknown('late', message, { connectionUsable: true });
    }
    return { kind: 'answered', answer, elapsedMs };
  } catch (error) {
    return unknown('server_error', messageOf(error), { connectionUsable: false });
  } finally {
    client.off('notice', onNotice);
  }
}

export function unknown(
  why: UnknownWhy,
  message: string,
  options: { connectionUsable: boolean; sqlState?: string },
): Unknown {
  const { connectionUsable, sqlState = null } = options;
  return { kind: 'unknown', why, message, sqlState, connectionUsable };
}

/** A cancelled wait says 01000, a terminated one 57P01; any other warning is too odd to be trusted either. */
function spoilsReply(code: string | undefined): boolean {
  return code === undefined || code.startsWith('01') || code === ADMIN_SHUTDOWN;
}

/** The simple protocol: one message is one transaction, whose start is its statement's (the fence checks that). */
async function send(client: AskClient, sql: string): Promise<Reply> {
  try {
    const { rows } = await client.query<{ answer: string }>(sql);
    const text = rows[0]?.answer;
    return text === undefined ? { error: new Error('the reply holds no row') } : { text };
  } catch (error) {
    return { error };
  }
}

async function within(reply: Promise<Reply>, deadlineMs: number, clock: Clock): Promise<Reply> {
  let cancel: (() => void) | undefined;
  const late = new Promise<Reply>((resolve) => {
    cancel = clock.after(deadlineMs, () => resolve('deadline'));
  });
  try {
    return await Promise.race([reply, late]);
  } finally {
    cancel?.();
  }
}

/** Data exceptions (class 22) come from reading the commands, long before anything could commit. */
function refusalOf(sqlState: string): Refused['reason'] | undefined {
  if (sqlState === LOCK_NOT_AVAILABLE) return 'busy';
  return sqlState.startsWith('22') ? 'badCommand' : fenceReasonOf(sqlState);
}

function judgeError(error: unknown): Refused | Unknown {
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined)
    return unknown('connection_lost', messageOf(error), { connectionUsable: false });
  const reason = refusalOf(sqlState);
  // A FATAL error ends the session; what it ended may have been the wait after a commit.
  const connectionUsable = (error as DatabaseError).severity === 'ERROR';
  if (reason === undefined) {
    return unknown('server_error', messageOf(error), { connectionUsable, sqlState });
  }
  return { kind: 'refused', reason, sqlState, message: messageOf(error), connectionUsable };
}
