/** Runs the built command line as a caller would: its own process, no terminal, a bounded time. */
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { documentSchema } from '../../src/cli/schemas/registry.ts';

export const root = join(import.meta.dirname, '../..');

export interface CliRun {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliDocument {
  readonly apiVersion: string;
  readonly kind: string;
  readonly ok: boolean;
  readonly data: unknown;
  readonly warnings: readonly string[];
  readonly error: {
    readonly code: string;
    readonly exit: number;
    readonly message: string;
    readonly next: string | null;
  } | null;
}

/** Builds if anything changed. */
export function buildCli(): void {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

export function runCli(
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly input?: string } = {},
): Promise<CliRun> {
  return runNode([join(root, 'bin/run.js'), ...args], options);
}

function runNode(
  args: readonly string[],
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly cwd?: string;
    readonly input?: string;
    readonly timeoutMs?: number;
  },
): Promise<CliRun> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      args,
      {
        cwd: options.cwd ?? root,
        env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
        timeout: options.timeoutMs ?? 60_000,
        maxBuffer: 32 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        resolve({ status: typeof code === 'number' ? code : -1, stdout, stderr });
      },
    );
    // A command that never reads may have ended by then.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs command lines one after another in one process, as bin/ would each in its own: what loading costs is paid once. */
async function runTogether(
  lines: readonly (readonly string[])[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<readonly CliRun[]> {
  const input = JSON.stringify(lines);
  const host = join(import.meta.dirname, 'cli-host.mjs');
  const { status, stdout, stderr } = await runNode([host], { ...options, input, timeoutMs: 120_000 });
  if (status !== 0) throw new Error(`the host of command lines ended in ${status}: ${stderr.slice(0, 400)}`);
  return JSON.parse(stdout) as readonly CliRun[];
}

/** The one document on stdout. Throws when there is none, or more than one, or it breaks its kind's schema. */
export function documentOf({ stdout, stderr }: CliRun): CliDocument {
  let document: CliDocument;
  try {
    document = JSON.parse(stdout) as CliDocument;
  } catch (error) {
    throw new Error(`not one document: ${stdout.slice(0, 400)}\n${stderr.slice(0, 400)}`, { cause: error });
  }
  const schema = documentSchema(document.kind);
  if (schema !== undefined) schema.parse(document);
  else if (!['Usage', 'Result'].includes(document.kind))
    throw new Error(`no schema for kind ${document.kind}`);
  return document;
}

/** Runs jobs a few at a time. */
export async function inParallel<T>(jobs: readonly (() => Promise<T>)[], atOnce: number): Promise<T[]> {
  const results: T[] = [];
  const left = [...jobs.entries()];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift())
        results[next[0]] = await next[1]();
    }),
  );
  return results;
}

const AT_ONCE = 2;

/** bin/ itself answers some of these; all others are one call there. */
const isAlone = ([noun]: readonly string[]) => noun === 'map';

/** Runs each line, those that bin/ has a way of its own for in their own process, the rest in two. */
export async function runEach(
  lines: readonly (readonly string[])[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<readonly CliRun[]> {
  const shared = lines.filter((args) => !isAlone(args));
  const half = Math.ceil(shared.length / 2);
  const parts = [shared.slice(0, half), shared.slice(half)];
  const jobs = parts.map((part) => () => runTogether(part, options));
  const together = (await inParallel(jobs, AT_ONCE)).flat();
  const own = lines.filter(isAlone).map((args) => () => runCli(args, options));
  const alone = await inParallel(own, AT_ONCE);
  return lines.map((args) => {
    const found = (isAlone(args) ? alone : together).shift();
    if (found === undefined) throw new Error(`no answer to ${args.join(' ')}`);
    return found;
  });
}
