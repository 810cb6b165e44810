/**
 * The baseline that most teams would write first: one HTTP request, one interactive transaction, a row lock held over
 * its round trips and its commit. Run as a process of its own, like a gateway: `node naive-service.ts` with the
 * database's URL in NAIVE_DATABASE_URL; prints its port.
 */
import fastify from 'fastify';
import { Pool, type PoolClient } from 'pg';

const pool = new Pool({ connectionString: process.env['NAIVE_DATABASE_URL'], max: 64 });
const app = fastify({ logger: false });

interface Body {
  readonly issuer_id: string;
  readonly notional: string;
  readonly reservation_token: string;
}

async function reserve(client: PoolClient, { issuer_id, notional, reservation_token }: Body) {
  const cents = Math.round(Number(notional) * 100);
  const known = await client.query<{ outcome: string }>(
    'SELECT outcome FROM token WHERE issuer_id = $1 AND token = $2',
    [issuer_id, reservation_token],
  );
  if (known.rows[0] !== undefined) return known.rows[0].outcome;
  const exposure = await client.query<{ shard_id: number; limit_cents: string; reserved_cents: string }>(
    'SELECT shard_id, limit_cents, reserved_cents FROM exposure WHERE issuer_id = $1 FOR UPDATE',
    [issuer_id],
  );
  const row = exposure.rows[0];
  if (row === undefined) throw new Error(`no issuer ${issuer_id}`);
  const outcome =
    BigInt(row.reserved_cents) + BigInt(cents) <= BigInt(row.limit_cents) ? 'confirmed' : 'rejected';
  const head = await client.query<{ position: string }>(
    'UPDATE head SET position = position + 1 WHERE shard_id = $1 RETURNING position',
    [row.shard_id],
  );
  const position = head.rows[0]?.position;
  if (outcome === 'confirmed') {
    await client.query('UPDATE exposure SET reserved_cents = reserved_cents + $2 WHERE issuer_id = $1', [
      issuer_id,
      cents,
    ]);
    await client.query('INSERT INTO reservation VALUES ($1, $2, $3, $4, $5)', [
      issuer_id,
      `R-${reservation_token}`,
      'bench',
      cents,
      position,
    ]);
  }
  await client.query('INSERT INTO token VALUES ($1, $2, $3, $4)', [
    issuer_id,
    reservation_token,
    outcome,
    position,
  ]);
  await client.query('INSERT INTO log VALUES ($1, $2, $3)', [
    row.shard_id,
    position,
    JSON.stringify({ issuer: issuer_id, token: reservation_token, outcome }),
  ]);
  return outcome;
}

app.post<{ Body: Body }>('/reservations', async (request, reply) => {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const outcome = await reserve(client, request.body);
    await client.query('COMMIT');
    return await reply.code(outcome === 'confirmed' ? 201 : 409).send({ status: outcome });
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
});

process.stdout.write(`${await app.listen({ host: '127.0.0.1', port: 0 })}\n`);
