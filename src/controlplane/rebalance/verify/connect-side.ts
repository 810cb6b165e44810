import type { EstateConfig } from '../../../config/estate-config.ts';
import type { Viewpoint } from '../../../config/address-from.ts';
import { connectAs } from '../../../postgres/connect-as.ts';
import { dropConnection } from '../../../postgres/connection.ts';
import type { SideConnection } from './leader-sides.ts';

const CONNECT_MS = 3_000;
/** A chunk is read in some ten milliseconds; a cold disk may take its time. */
const STATEMENT_MS = 30_000;

/** Connects to a member as an operator, who may read all tables. Throws what `connectAs` throws. */
export const connectSide =
  (about: { readonly config: EstateConfig; readonly region?: Viewpoint }) =>
  async (cluster: string, member: string): Promise<SideConnection> => {
    const client = await connectAs({
      ...about,
      role: 'operator',
      cluster,
      member,
      applicationName: 'capstan-rebalance',
      connectTimeoutMs: CONNECT_MS,
      statementTimeoutMs: STATEMENT_MS,
      lockTimeoutMs: CONNECT_MS,
    });
    return { client, drop: () => dropConnection(client) };
  };
