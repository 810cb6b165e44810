import { connect, type Socket } from 'node:net';
import type { Link } from './link.ts';
import { Pipe } from './pipe.ts';

/** A connection attempt that a cut link swallows ends after this, as a TCP handshake without an answer does. */
const HANDSHAKE_MAX_MS = 60_000;

export interface ConnectionOptions {
  readonly client: Socket;
  readonly targetPort: number;
  /** From the client's region to the target's, and back. */
  readonly outward: Link;
  readonly homeward: Link;
  readonly onClose: () => void;
}

/**
 * One client's connection over a pair of links. The target is dialled one round trip after the client came, and not
 * while the outward link is cut: until then nothing that the client sent can have reached it. (A user-space proxy can't
 * keep the client's own `connect` from succeeding; it meets silence instead.) A homeward cut doesn't keep the target
 * from being dialled: requests arrive and their replies don't.
 */
export class ProxiedConnection {
  readonly #options: ConnectionOptions;
  readonly #outwardPipe: Pipe;
  #homewardPipe: Pipe | undefined;
  #target: Socket | undefined;
  #dialTimer: NodeJS.Timeout | undefined;
  readonly #handshakeTimer: NodeJS.Timeout;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { client, outward } = options;
    client.setNoDelay(true);
    this.#outwardPipe = new Pipe(outward, client);
    client.on('error', ignore);
    client.on('close', () => this.#closed());
    client.on('end', () => {
      // A caller that gives up before its handshake could have been answered has sent nothing.
      if (this.#target === undefined && outward.settings.cut !== null) client.destroy();
    });
    this.#handshakeTimer = setTimeout(() => {
      if (this.#target === undefined) client.resetAndDestroy();
    }, HANDSHAKE_MAX_MS);
    outward.awaitTurn(this);
    client.resume();
    this.linkChanged();
  }

  linkChanged(): void {
    const { outward, homeward, client } = this.#options;
    if (this.#target !== undefined || client.destroyed) return;
    clearTimeout(this.#dialTimer);
    if (outward.settings.cut !== null) return;
    const roundTripMs = outward.settings.delayMs + homeward.settings.delayMs;
    if (roundTripMs === 0) this.#dial();
    else this.#dialTimer = setTimeout(() => this.#dial(), roundTripMs);
  }

  destroy(): void {
    this.#options.client.destroy();
    this.#target?.destroy();
    this.#closed();
  }

  #dial(): void {
    const { client, targetPort, outward, homeward } = this.#options;
    outward.stopWaiting(this);
    const target = connect({ host: '127.0.0.1', port: targetPort, allowHalfOpen: true, noDelay: true });
    this.#target = target;
    target.on('error', ignore);
    target.on('close', () => this.#closed());
    // A refused dial shows as a close without an end, so the client learns of it by the homeward link.
    this.#homewardPipe = new Pipe(homeward, target);
    this.#homewardPipe.attach(client);
    target.once('connect', () => this.#outwardPipe.attach(target));
  }

  #closed(): void {
    const { client, outward, onClose } = this.#options;
    if (!client.destroyed || this.#target?.destroyed === false) return;
    clearTimeout(this.#dialTimer);
    clearTimeout(this.#handshakeTimer);
    outward.stopWaiting(this);
    this.#outwardPipe.close();
    this.#homewardPipe?.close();
    onClose();
  }
}

/** Errors of a socket show as its closing, which is handled. */
function ignore(): void {}
