import { chown, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { OsAccount } from '../postgres/run-as.ts';

/** Makes a rename or a removal in the folder survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Replaces a file as a whole: a reader sees the old text or the new, and so does a restart after a power cut. With an
 * account, the file belongs to it; nobody else reads it.
 */
export async function writeDurably(path: string, text: string, account?: OsAccount): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  if (account !== undefined) await chown(draft, account.uid, account.gid);
  await rename(draft, path);
  await syncFolder(dirname(path));
}

/** The file's text; undefined when there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
