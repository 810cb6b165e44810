import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { DeskSwitch } from './types.ts';

type Mode = Parameters<DeskSwitch['set']>[1];

const CONNECTIONS_MAX = 4_000;

/**
 * A TCP proxy in front of each region's gateway, for the desks of a drill. In `pass` it carries bytes both ways, no faster
 * than the slower side takes them. In `drop-replies` what comes back is thrown away. In `half-open` connections are
 * accepted and neither read, answered nor closed. A connection that missed something ends with a reset when its mode does:
 * a stream with a hole must never arrive.
 */
export class DeskProxies implements DeskSwitch {
  readonly #byRegion: ReadonlyMap<string, RegionProxy>;

  private constructor(byRegion: ReadonlyMap<string, RegionProxy>) {
    this.#byRegion = byRegion;
  }

  /** Listens on loopback, on ports that the system chooses. */
  static async open(
    gateways: readonly { readonly region: string; readonly url: string }[],
  ): Promise<DeskProxies> {
    const byRegion = new Map<string, RegionProxy>();
    for (const { region, url } of gateways) byRegion.set(region, await RegionProxy.open(new URL(url)));
    return new DeskProxies(byRegion);
  }

  /** Where desks send what is for the region's gateway. */
  urlOf(region: string): string {
    return `http://127.0.0.1:${this.#proxy(region).port}`;
  }

  set(region: string, mode: Mode): void {
    this.#proxy(region).set(mode);
  }

  /** Every connection ends, and no port is left. */
  async close(): Promise<void> {
    await Promise.all([...this.#byRegion.values()].map((proxy) => proxy.close()));
  }

  #proxy(region: string): RegionProxy {
    const proxy = this.#byRegion.get(region);
    if (proxy === undefined) throw new Error(`no gateway serves ${region}`);
    return proxy;
  }
}

class RegionProxy {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #connections = new Set<DeskConnection>();
  #mode: Mode = 'pass';

  private constructor({ hostname, port }: URL) {
    this.#target = { host: hostname, port: Number(port) };
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (desk) => {
      const connection = new DeskConnection(desk, this.#target, () => this.#connections.delete(connection));
      this.#connections.add(connection);
      connection.set(this.#mode);
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  static async open(target: URL): Promise<RegionProxy> {
    const proxy = new RegionProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  set(mode: Mode): void {
    this.#mode = mode;
    for (const connection of this.#connections) connection.set(mode);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const connection of this.#connections) connection.reset();
    await closed;
  }
}

/** One desk's connection, and the one to the gateway behind it once something may pass. */
class DeskConnection {
  readonly #desk: Socket;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #onEnd: () => void;
  #gateway: Socket | undefined;
  #mode: Mode = 'pass';
  #missedSomething = false;

  constructor(desk: Socket, target: { readonly host: string; readonly port: number }, onEnd: () => void) {
    this.#desk = desk;
    this.#target = target;
    this.#onEnd = onEnd;
    desk.setNoDelay(true);
    desk.on('error', () => undefined);
    desk.on('close', () => {
      // What the desk sent is still delivered.
      this.#gateway?.destroySoon();
      this.#onEnd();
    });
  }

  set(mode: Mode): void {
    if (this.#missedSomething && mode !== this.#mode) {
      this.reset();
      return;
    }
    this.#mode = mode;
    if (mode === 'half-open') {
      // Unread, it stays in the system's own bounded buffers.
      this.#missedSomething = true;
      this.#desk.pause();
      this.#gateway?.pause();
      return;
    }
    if (this.#gateway === undefined) this.#dial();
  }

  reset(): void {
    this.#desk.resetAndDestroy();
    this.#gateway?.destroy();
    this.#onEnd();
  }

  #dial(): void {
    const desk = this.#desk;
    const gateway = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    this.#gateway = gateway;
    gateway.on('error', () => undefined);
    desk.on('data', (chunk) => {
      if (!gateway.write(chunk)) desk.pause();
    });
    gateway.on('drain', () => {
      if (this.#mode !== 'half-open') desk.resume();
    });
    desk.on('end', () => gateway.end());
    gateway.on('data', (chunk) => {
      if (this.#mode === 'drop-replies') this.#missedSomething = true;
      else if (!desk.write(chunk)) gateway.pause();
    });
    desk.on('drain', () => {
      if (this.#mode !== 'half-open') gateway.resume();
    });
    gateway.on('end', () => {
      if (this.#mode === 'pass') desk.end();
      else this.#missedSomething = true;
    });
    gateway.on('close', () => {
      if (this.#mode === 'pass') desk.destroySoon();
      else this.#missedSomething = true;
    });
    desk.resume();
  }
}
