import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const root = join(import.meta.dirname, '../..');
export const patchFile = (patch: string): string => join(root, 'test', 'planted', `${patch}.patch`);

export interface ScratchTree {
  readonly folder: string;
  remove(): void;
}

/** Whether a patch still fits the tree as it is now; else what git says. */
export async function misfitOf(patch: string): Promise<string | undefined> {
  try {
    await run('git', ['apply', '--check', patchFile(patch)], { cwd: root });
    return undefined;
  } catch (error) {
    return (error as { readonly stderr?: string }).stderr ?? String(error);
  }
}

/** A copy of this tree as it is now, with a patch applied: the working tree itself stays as it is. */
export async function patchedTree(patch: string): Promise<ScratchTree> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'capstan-planted-')));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  try {
    const { stdout } = await run('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: root });
    for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name))))
      cpSync(join(root, file), join(folder, file));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    await run('git', ['apply', patchFile(patch)], { cwd: folder });
    return { folder, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Compiles it, as `npm run build` does. */
export const build = ({ folder }: ScratchTree) =>
  run(process.execPath, [join(folder, 'scripts', 'build.mjs')], { cwd: folder });

/** `npm run simulate` there; a seed that breaks an invariant is a result, not a throw. */
export async function simulate(
  { folder }: ScratchTree,
  seeds: number,
): Promise<{ stdout: string; status: number }> {
  try {
    const { stdout } = await run(
      process.execPath,
      [join(folder, 'scripts', 'simulate.mjs'), '--seeds', String(seeds)],
      { cwd: folder, maxBuffer: 64 * 1024 * 1024 },
    );
    return { stdout, status: 0 };
  } catch (error) {
    const { stdout, code } = error as { readonly stdout?: string; readonly code?: number };
    if (stdout === undefined || code === undefined) throw error;
    return { stdout, status: code };
  }
}
