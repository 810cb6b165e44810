import { execFile } from 'node:child_process';
import { access, constants, readdir, realpath } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { unreachableError } from '../domain/errors.ts';

/** The oldest major version whose row filters, quorum commit and recovery settings Capstan relies on. */
const VERSION_MIN = 15;
const VERSION_TIMEOUT_MS = 5_000;

/** One installation of the Postgres server programs. */
export interface PostgresBinaries {
  /** As `postgres --version` says it, e.g. `15.18`. */
  readonly version: string;
  readonly binDir: string;
  /** The absolute path of one program, e.g. `path('initdb')`. */
  path(name: string): string;
}

const run = promisify(execFile);

/**
 * Finds Postgres >= 15: the configured folder only, when there is one; else the newest of Debian's and Homebrew's
 * folders; else the one that PATH leads to. Throws CapstanError `postgres_missing` (exit 7) with the install command.
 */
export async function findPostgresBinaries(options: { binDir?: string } = {}): Promise<PostgresBinaries> {
  const candidates = options.binDir === undefined ? await usualFolders() : [options.binDir];
  const found: { binaries: PostgresBinaries; major: number }[] = [];
  for (const binDir of candidates) {
    const version = await versionIn(binDir);
    if (version !== undefined)
      found.push({ binaries: binaries(binDir, version), major: Number.parseInt(version, 10) });
  }
  const usable = found.filter(({ major }) => major >= VERSION_MIN);
  const newest = usable.reduce<(typeof usable)[number] | undefined>(
    (best, next) => (best === undefined || next.major > best.major ? next : best),
    undefined,
  );
  if (newest !== undefined) return newest.binaries;
  const tooOld = found.map(({ binaries: { binDir, version } }) => `${version} in ${binDir}`).join(', ');
  const where = options.binDir === undefined ? 'on this machine' : `in postgres.binDir (${options.binDir})`;
  throw unreachableError(
    tooOld === ''
      ? `no Postgres server found ${where}`
      : `no Postgres >= ${VERSION_MIN} found ${where}, only ${tooOld}`,
    {
      code: 'postgres_missing',
      retryable: false,
      next: 'Debian/Ubuntu: sudo apt-get install -y postgresql · Homebrew: brew install postgresql@17 · or set postgres.binDir',
      data: { searched: candidates },
    },
  );
}

function binaries(binDir: string, version: string): PostgresBinaries {
  return Object.freeze({ version, binDir, path: (name: string) => join(binDir, name) });
}

/** Most specific first; equal majors keep this order. */
async function usualFolders(): Promise<string[]> {
  const debian = await majorsUnder('/usr/lib/postgresql', (entry) => join(entry, 'bin'));
  const homebrew: string[] = [];
  for (const prefix of ['/opt/homebrew/opt', '/usr/local/opt', '/home/linuxbrew/.linuxbrew/opt']) {
    homebrew.push(...(await majorsUnder(prefix, (entry) => join(entry, 'bin'), /^postgresql(@\d+)?$/)));
  }
  const onPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...debian, ...homebrew, ...(await resolvedServers(onPath))];
}

async function majorsUnder(
  folder: string,
  binOf: (entry: string) => string,
  pattern = /^\d+$/,
): Promise<string[]> {
  const entries = await readdir(folder).catch(() => []);
  return entries.filter((entry) => pattern.test(entry)).map((entry) => join(folder, binOf(entry)));
}

/** PATH may lead to a link to `postgres`; its sibling programs are beside the real file. */
async function resolvedServers(folders: readonly string[]): Promise<string[]> {
  const real = await Promise.all(
    folders.map((folder) =>
      realpath(join(folder, 'postgres')).then(
        (path) => [dirname(path)],
        () => [],
      ),
    ),
  );
  return real.flat();
}

async function versionIn(binDir: string): Promise<string | undefined> {
  const server = join(binDir, 'postgres');
  try {
    await Promise.all([access(server, constants.X_OK), access(join(binDir, 'initdb'), constants.X_OK)]);
    const { stdout } = await run(server, ['--version'], { timeout: VERSION_TIMEOUT_MS });
    return /\(PostgreSQL\) (\d+[.\w]*)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}
