import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { messageOf, usageError } from '../domain/errors.ts';
import { parseKeys, type KeyRing } from './keys.ts';

const POLL_EVERY_MS = 1_000;

/**
 * The keys file, read again whenever it changes (polled, so that a file replaced by rename is noticed on any file
 * system). A changed file that can't be read leaves the former keys in force, and the log says so.
 */
export class KeyFile {
  readonly #path: string;
  readonly #logger: Logger;
  #ring: KeyRing;

  private constructor(path: string, logger: Logger, ring: KeyRing) {
    this.#path = path;
    this.#logger = logger;
    this.#ring = ring;
    watchFile(path, { interval: POLL_EVERY_MS, persistent: false }, this.#onChange);
  }

  /** Throws CapstanError `keys_unreadable` or `keys_invalid` (exit 2): a gateway doesn't start without keys. */
  static async open(path: string, logger: Logger): Promise<KeyFile> {
    return new KeyFile(path, logger, await readRing(path));
  }

  get ring(): KeyRing {
    return this.#ring;
  }

  close(): void {
    unwatchFile(this.#path, this.#onChange);
  }

  readonly #onChange = (): void => {
    void this.#reload();
  };

  async #reload(): Promise<void> {
    try {
      this.#ring = await readRing(this.#path);
      this.#logger.info({ keys: this.#ring.size }, 'keys reloaded');
    } catch (error) {
      this.#logger.error({ reason: messageOf(error) }, 'keys not reloaded: the former ones stay in force');
    }
  }
}

async function readRing(path: string): Promise<KeyRing> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw usageError(`keys file ${path} can't be read: ${messageOf(error)}`, {
      code: 'keys_unreadable',
      cause: error,
      next: 'write it with `capstan gateway key DESK`, or point gateways.<name>.keysFile at it',
    });
  }
  return parseKeys(text, path);
}
