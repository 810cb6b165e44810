/** An archiver in a process of its own, that is killed (SIGKILL) just before or after it makes its n-th object. */
import { FolderStore } from '../../src/archive/folder-store.ts';
import { archiveNow, LogHolder } from './archive.ts';
import { LogModel, someCommands } from './log-model.ts';

const [folder = '', at = '0', when = 'before'] = process.argv.slice(2);

class DyingStore extends FolderStore {
  #made = 0;

  override async create(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    this.#made += 1;
    const now = this.#made === Number(at);
    if (now && when === 'before') process.kill(process.pid, 'SIGKILL');
    // Within: the draft is on its way, or has its name already.
    if (now && when === 'within') setImmediate(() => process.kill(process.pid, 'SIGKILL'));
    const result = await super.create(key, bytes);
    if (now) process.kill(process.pid, 'SIGKILL');
    return result;
  }
}

await archiveNow(new DyingStore(folder), new LogHolder(new LogModel().run(someCommands(230)).entries));
