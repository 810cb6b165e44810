import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A TCP proxy that can lose a reply: it delivers a request to the server, lets the server finish, and cuts the client
 * off instead of passing the answer on. What a broken network does at the worst moment, on demand.
 */
export class HalfOpenProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number;
  #cut: { request: RegExp; vanish: boolean; delivered: () => void } | undefined;
  #hold = false;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#relay(client));
  }

  static async start(targetPort: number): Promise<HalfOpenProxy> {
    const proxy = new HalfOpenProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** New connections go there. */
  set target(port: number) {
    this.#target = port;
  }

  /**
   * Cuts off the client whose next request matches, once the server has answered it. Resolves when that has happened.
   * `vanish`: all others are cut off too, and new connections get no answer until `silent` is set to false.
   */
  cutReplyTo(request: RegExp, { vanish = false } = {}): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#cut = { request, vanish, delivered: resolve };
    return promise;
  }

  /** Accepts connections and passes nothing on, as a host that has vanished. Existing connections stay as they are. */
  set silent(value: boolean) {
    this.#hold = value;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #relay(client: Socket): void {
    this.#track(client);
    if (this.#hold) return;
    const server = this.#track(connect(this.#target, '127.0.0.1'));
    let cut: (() => void) | undefined;
    client.on('data', (data) => {
      const armed = this.#cut;
      if (armed?.request.test(data.toString('latin1')) === true) {
        this.#cut = undefined;
        cut = () => {
          if (armed.vanish) this.#vanish();
          armed.delivered();
        };
      }
      server.write(data);
    });
    server.on('data', (data) => {
      if (cut === undefined) {
        client.write(data);
        return;
      }
      client.destroy();
      cut();
    });
    client.on('close', () => {
      if (cut === undefined) server.destroy();
    });
    server.on('close', () => client.destroy());
  }

  #vanish(): void {
    this.#hold = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #track(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    return socket;
  }
}
