import { createServer, type Server, type Socket } from 'node:net';
import type { CallerRegions } from './caller-regions.ts';
import { ProxiedConnection } from './connection.ts';
import type { Links } from './links.ts';

/**
 * A port on which processes of one region reach a destination in another. `from: null` means that callers of every
 * region use the same port (etcd's peers advertise one address each), so that the caller is told by its process.
 */
export interface Route {
  readonly label: string;
  readonly from: string | null;
  readonly to: string;
  readonly listenPort: number;
  readonly targetPort: number;
}

export interface RouteOptions {
  readonly route: Route;
  readonly links: Links;
  /** For routes whose callers are told by their process; shared by all routes. */
  readonly callers: CallerRegions;
}

const CONNECTIONS_MAX = 2_000;

/** Listens on a route's port; resolves once it accepts, and rejects when the port is taken. */
export async function openRoute(options: RouteOptions): Promise<{ close: () => void }> {
  const { route, links, callers } = options;
  const connections = new Set<ProxiedConnection>();

  const carry = (client: Socket, from: string): void => {
    if (from === route.to) throw new Error(`${route.label}: ${from} called itself through a link`);
    const connection: ProxiedConnection = new ProxiedConnection({
      client,
      targetPort: route.targetPort,
      outward: links.get(from, route.to),
      homeward: links.get(route.to, from),
      onClose: () => connections.delete(connection),
    });
    connections.add(connection);
  };

  const carryByProcess = async (client: Socket): Promise<void> => {
    const called = { clientPort: client.remotePort ?? 0, serverPort: route.listenPort };
    const from = await callers.regionOf(called, () => client.destroyed);
    if (client.destroyed) return;
    // A caller that can't be told crosses no link on anybody's behalf.
    if (from === undefined || from === route.to) client.resetAndDestroy();
    else carry(client, from);
  };

  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    if (route.from !== null) {
      carry(client, route.from);
      return;
    }
    client.on('error', () => client.destroy());
    void carryByProcess(client);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listening(server, route.listenPort);
  return {
    close: () => {
      server.close();
      for (const connection of connections) connection.destroy();
    },
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
