import type { Socket } from 'node:net';
import type { Link } from './link.ts';

/** The most that one direction of a connection keeps in memory; beyond it the sender feels backpressure. */
const QUEUE_BYTES_MAX = 1 << 20;
/** Large reads are cut up, so that a slow link trickles instead of bursting. */
const PIECE_BYTES = 16_384;
/** TCP gives up retransmitting long before an hour; a connection held for longer than this is reset when it heals. */
const HOLD_MAX_MS = 120_000;

type Payload = Buffer | 'end' | 'reset';
interface Parcel {
  readonly arrivesAt: number;
  readonly payload: Payload;
}

/**
 * One direction of one connection: reads its source, and delivers to its sink what the link lets through, in order.
 * The end and the breaking of the source travel the same way as its bytes: while the link is cut the other side
 * doesn't learn of them. Before `attach` there is no sink and everything waits.
 */
export class Pipe {
  readonly #link: Link;
  readonly #source: Socket;
  #sink: Socket | undefined;
  #queue: Parcel[] = [];
  #queuedBytes = 0;
  #lastArrival = 0;
  #timer: NodeJS.Timeout | undefined;
  #congested = false;
  #holed = false;
  #ended = false;
  #cutSince: number | undefined;

  constructor(link: Link, source: Socket) {
    this.#link = link;
    this.#source = source;
    if (link.settings.cut !== null) this.#cutSince = performance.now();
    link.join(this);
    source.on('data', (chunk: Buffer) => {
      for (let start = 0; start < chunk.length; start += PIECE_BYTES) {
        this.#send(chunk.subarray(start, start + PIECE_BYTES));
      }
    });
    source.on('end', () => {
      this.#ended = true;
      this.#send('end');
    });
    source.on('close', (hadError) => {
      if (!this.#ended || hadError) this.#send('reset');
    });
  }

  attach(sink: Socket): void {
    this.#sink = sink;
    sink.on('drain', () => {
      this.#congested = false;
      this.#flush();
    });
    sink.on('close', () => this.#flush());
    // What came before the handshake was answered sets out only now.
    const early = this.#queue.splice(0);
    for (const { payload } of early) this.#enqueue(payload);
    this.#flush();
  }

  linkChanged(): void {
    const { cut } = this.#link.settings;
    if (cut !== null) {
      this.#cutSince ??= performance.now();
      if (cut === 'lose' && this.#queue.length > 0 && this.#sink !== undefined) this.#lose();
      clearTimeout(this.#timer);
      return;
    }
    if (this.#sink !== undefined && (this.#holed || this.#heldTooLong())) {
      this.#source.resetAndDestroy();
      this.#sink.resetAndDestroy();
    }
    this.#cutSince = undefined;
    this.#flush();
  }

  /** Forgets everything; both sockets are closed by then. */
  close(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#link.leave(this);
  }

  #send(payload: Payload): void {
    if (this.#link.settings.cut === 'lose' && this.#sink !== undefined) {
      this.#holed = true;
      return;
    }
    this.#queuedBytes += sizeOf(payload);
    this.#enqueue(payload);
    if (this.#queuedBytes > QUEUE_BYTES_MAX) this.#source.pause();
    this.#flush();
  }

  #enqueue(payload: Payload): void {
    const arrival = this.#link.arrivalTime(performance.now(), sizeOf(payload));
    this.#lastArrival = Math.max(this.#lastArrival, arrival);
    this.#queue.push({ arrivesAt: this.#lastArrival, payload });
  }

  #heldTooLong(): boolean {
    const [first] = this.#queue;
    if (first === undefined || this.#cutSince === undefined) return false;
    return performance.now() - Math.max(first.arrivesAt, this.#cutSince) > HOLD_MAX_MS;
  }

  #lose(): void {
    this.#holed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.#source.isPaused()) this.#source.resume();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    const sink = this.#sink;
    if (sink === undefined || this.#link.settings.cut !== null) return;
    while (!this.#congested) {
      const [parcel] = this.#queue;
      if (parcel === undefined) break;
      const waitMs = parcel.arrivesAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#flush(), Math.ceil(waitMs));
        break;
      }
      this.#queue.shift();
      this.#queuedBytes -= sizeOf(parcel.payload);
      this.#deliver(sink, parcel.payload);
    }
    if (this.#queuedBytes <= QUEUE_BYTES_MAX / 2 && this.#source.isPaused()) this.#source.resume();
  }

  #deliver(sink: Socket, payload: Payload): void {
    // The other side is gone: what it won't read is lost, and its going away travels back by the other pipe.
    if (sink.destroyed || (sink.writableEnded && payload !== 'reset')) return;
    if (payload === 'end') sink.end();
    else if (payload === 'reset') sink.resetAndDestroy();
    else {
      this.#congested = !sink.write(payload);
      this.#link.countDelivered(payload.length);
    }
  }
}

const sizeOf = (payload: Payload): number => (typeof payload === 'string' ? 0 : payload.length);
