import { Client } from 'pg';

const TIMEOUT_MS = 5_000;

/** Tries to decide under term 1 over direct connections as the gateway's role: at the old leader, then at the new one. */
export async function refusedByFence({ world, member, old }) {
  const lines = [];
  const atOld = await decideDirectly(world.postgres[old].gateway);
  lines.push(`psql ${old}: capstan.decide('c1', …, term 1)  ->  ${atOld.message}`);
  const atNew = await decideDirectly(world.postgres[member].gateway);
  lines.push(`psql ${member}: capstan.decide('c1', …, term 1)  ->  ${atNew.code}: ${atNew.message}`);
  return { lines, oldLeaderRefused: atOld.refused, code: atNew.code };
}

async function decideDirectly(connectionString) {
  const client = new Client({ connectionString, connectionTimeoutMillis: TIMEOUT_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const command = {
      kind: 'reserve',
      issuer: 'MUNI-77',
      token: 'demo-old-term',
      desk: 'desk-madrid',
      hash: '0'.repeat(64),
      reservation: 'demo-old-term',
      notional: '100',
    };
    // One simple statement, as the fence demands: no bound parameters.
    await client.query(`select capstan.decide('c1', 1, 184, 1, 1, '${JSON.stringify([command])}')`);
    return { refused: false, code: 'none', message: 'DECIDED' };
  } catch (error) {
    return { refused: true, code: error.code ?? 'none', message: error.message };
  } finally {
    await client.end().catch(() => undefined);
  }
}
