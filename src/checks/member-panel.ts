import type pg from 'pg';
import type { EstateConfig, PostgresRole } from '../config/estate-config.ts';
import { connectAs } from '../postgres/connect-as.ts';
import { closeConnection } from '../postgres/connection.ts';
import { readLeaderFacts, type LeaderFacts } from '../postgres/queries/leader-facts.ts';
import { readMemberFacts, type MemberFacts } from '../postgres/queries/member-facts.ts';

const ASK_MS = 2_000;

export interface TimedMemberFacts extends MemberFacts {
  /** The server's wall clock less ours, by the middle of the round trip. */
  readonly skewMs: number;
  /** Half the round trip: how wrong `skewMs` can be. */
  readonly skewErrorMs: number;
}

interface Place {
  readonly cluster: string;
  readonly member: string;
}

/** Asks Postgres members for the checks of one run, each member at most once a question, whoever wants to know. */
export class MemberPanel {
  readonly #config: EstateConfig;
  readonly #region: string | undefined;
  readonly #members = new Map<string, Promise<TimedMemberFacts>>();
  readonly #leaders = new Map<string, Promise<LeaderFacts>>();

  constructor(options: { readonly config: EstateConfig; readonly region: string | undefined }) {
    this.#config = options.config;
    this.#region = options.region;
  }

  /** Rejects with `postgres_unreachable`, `member_unknown`, or what the server said. */
  member(place: Place): Promise<TimedMemberFacts> {
    return remembered(this.#members, place.member, () =>
      this.with({ ...place, role: 'reader' }, async (client) => {
        await client.query('select 1');
        const sent = Date.now();
        const facts = await readMemberFacts(client);
        const tookMs = Date.now() - sent;
        return {
          ...facts,
          skewMs: Math.round(facts.clockMs - (sent + tookMs / 2)),
          skewErrorMs: Math.ceil(tookMs / 2),
        };
      }),
    );
  }

  leader(place: Place): Promise<LeaderFacts> {
    return remembered(this.#leaders, place.member, () =>
      this.with({ ...place, role: 'reader' }, (client) => readLeaderFacts(client)),
    );
  }

  /** One connection for one use. */
  async with<T>(
    place: Place & { readonly role: PostgresRole },
    use: (client: pg.Client) => Promise<T>,
  ): Promise<T> {
    const client = await connectAs({
      config: this.#config,
      ...place,
      region: this.#region,
      applicationName: 'capstan-check',
      connectTimeoutMs: ASK_MS,
      statementTimeoutMs: ASK_MS,
      lockTimeoutMs: ASK_MS,
    });
    try {
      return await use(client);
    } finally {
      await closeConnection(client);
    }
  }
}

function remembered<T>(answers: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const known = answers.get(key);
  if (known !== undefined) return known;
  const answer = ask();
  answers.set(key, answer);
  return answer;
}
