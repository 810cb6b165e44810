import { randomBytes } from 'node:crypto';
import { chmod, chown, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { messageOf, usageError } from '../domain/errors.ts';
import type { KeyEntry } from '../gateway/keys.ts';

/**
 * Adds an entry to a keys file, or makes the file (mode 0600): written beside it and renamed, so that a gateway never
 * reads half a file. Throws CapstanError `keys_unreadable` or `keys_invalid` (exit 2).
 */
export async function addKey(path: string, entry: KeyEntry): Promise<void> {
  const { parseKeys } = await import('../gateway/keys.ts');
  const before = await readExisting(path);
  if (before !== undefined) parseKeys(before, path);
  const entries: unknown = before === undefined ? [] : JSON.parse(before);
  const text = `${JSON.stringify([...(entries as KeyEntry[]), entry], null, 2)}\n`;
  parseKeys(text, path);
  const draft = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(draft, text, { mode: 0o600 });
    if (before !== undefined) await likeBefore(path, draft);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw usageError(`${path} can't be written: ${messageOf(error)}`, {
      code: 'keys_unreadable',
      cause: error,
    });
  }
}

/** The gateway's account must still be able to read what it could read before. */
async function likeBefore(path: string, draft: string): Promise<void> {
  const { mode, uid, gid } = await stat(path);
  await chmod(draft, mode & 0o777);
  if (process.getuid?.() === 0) await chown(draft, uid, gid);
}

async function readExisting(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw usageError(`${path} can't be read: ${messageOf(error)}`, { code: 'keys_unreadable', cause: error });
  }
}
