import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { archiveUnreachable } from './archive-errors.ts';
import type { ArchiveStore } from './store.ts';

/** Drafts; an archive that was killed leaves some, and nobody takes an hour to write one. */
const DRAFTS = 'incoming';
const DRAFT_AGE_MS_MAX = 3_600_000;

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

/** An archive in a folder, which may be a network share that knows hard links. */
export class FolderStore implements ArchiveStore {
  readonly where: string;
  readonly #root: string;
  #prepared: Promise<void> | undefined;

  constructor(root: string) {
    this.where = root;
    this.#root = root;
  }

  /** The draft is synced before it gets its name, and the name before the answer: a power cut leaves the whole or nothing. */
  async create(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    const target = join(this.#root, key);
    const draft = join(this.#root, DRAFTS, randomUUID());
    try {
      await (this.#prepared ??= this.#prepare());
      await this.#makeFolder(dirname(target));
      const file = await open(draft, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await link(draft, target);
      await syncFolder(dirname(target));
      return 'created';
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return 'exists';
      this.#prepared = undefined;
      throw archiveUnreachable(this.where, error);
    } finally {
      await rm(draft, { force: true }).catch(() => undefined);
    }
  }

  async read(key: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(this.#root, key));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw archiveUnreachable(this.where, error);
    }
  }

  async *list(folder: string, after?: string): AsyncIterable<string> {
    const entries = await this.#entries(folder);
    const names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
    for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
      if (folder === '' && name === `${DRAFTS}/`) continue;
      if (after === undefined || name > after) yield name;
    }
  }

  close(): void {
    // Holds nothing open.
  }

  async #entries(folder: string) {
    try {
      return await readdir(join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw archiveUnreachable(this.where, error);
    }
  }

  async #prepare(): Promise<void> {
    const drafts = join(this.#root, DRAFTS);
    await this.#makeFolder(drafts);
    for (const name of await readdir(drafts)) {
      const { mtimeMs } = await stat(join(drafts, name)).catch(() => ({ mtimeMs: Date.now() }));
      if (Date.now() - mtimeMs > DRAFT_AGE_MS_MAX) await rm(join(drafts, name), { force: true });
    }
  }

  /** Each new folder's name is synced in the one above it. */
  async #makeFolder(path: string): Promise<void> {
    const made = await mkdir(path, { recursive: true });
    if (made === undefined) return;
    for (let folder = path; folder.length >= made.length; folder = dirname(folder))
      await syncFolder(dirname(folder));
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
