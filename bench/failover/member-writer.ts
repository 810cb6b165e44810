import { randomUUID } from 'node:crypto';
import { Client, DatabaseError } from 'pg';
import type { Writer } from './estate.ts';

/** A standby's own refusal: the connection is good, and is kept for the moment at which it leads. */
const READ_ONLY = '25006';

/** Writes one row a try to one member, over a connection that is kept as long as it answers in time. */
export class MemberWriter {
  readonly #url: string;
  #client: Client | undefined;

  constructor(url: string) {
    this.#url = url;
  }

  readonly write: Writer = async (deadlineMs) => {
    try {
      this.#client ??= await connect(this.#url, deadlineMs);
      const insert = { text: 'INSERT INTO decision (token) VALUES ($1)', values: [randomUUID()] };
      await this.#client.query(insert);
      return true;
    } catch (error) {
      if (!(error instanceof DatabaseError && error.code === READ_ONLY)) this.close();
      return false;
    }
  };

  /** Not waited for: a dead host answers no goodbye. */
  close(): void {
    void this.#client?.end().catch(() => undefined);
    this.#client = undefined;
  }
}

/** A client whose connecting and whose queries each end within the time; one that fails later fails its next query, and nothing else. */
export async function connect(url: string, timeoutMs: number): Promise<Client> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    void client.end().catch(() => undefined);
    throw error;
  }
}
