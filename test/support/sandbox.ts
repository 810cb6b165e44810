/** Sandboxes for end-to-end tests: each with a name of its own, driven by the real command line, always torn down. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SandboxEnvironment } from '../../src/sandbox/environment.ts';
import { RestedSandbox } from './rested-sandbox.ts';

const root = new URL('../../', import.meta.url);
/** Tests run against the source, so that no build can be stale; CAPSTAN_TEST_DIST=1 runs the build instead. */
const built = process.env['CAPSTAN_TEST_DIST'] === '1' && existsSync(new URL('dist/cli/main.js', root));
const ownProgram = fileURLToPath(new URL(built ? 'bin/run.js' : 'bin/dev.js', root));
const CALL_TIMEOUT_MS = 120_000;

/** The one document that `-o json` prints; docs/cli.md. */
export interface Envelope<T = Record<string, unknown>> {
  readonly kind: string;
  readonly ok: boolean;
  readonly data: T;
  readonly warnings: readonly string[];
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly exit: number;
    readonly next: string | null;
  } | null;
}

export interface CapstanRun<T> {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly result: Envelope<T>;
}

export interface CapstanOptions {
  readonly environment?: NodeJS.ProcessEnv;
  /** Aborting kills the command with SIGKILL, or with `killSignal`. */
  readonly signal?: AbortSignal;
  readonly killSignal?: NodeJS.Signals;
  /** Told of everything that comes on stderr, as it comes. */
  readonly onStderr?: (text: string) => void;
  readonly timeoutMs?: number;
  /** Another build's bin/run.js; default this tree's. */
  readonly program?: string;
}

/** The folder under which this run keeps its sandboxes; the leak guard watches it. */
export function testStateDir(): string {
  const folder = process.env['CAPSTAN_TEST_ROOT'];
  if (folder === undefined) throw new Error('CAPSTAN_TEST_ROOT is set by test/support/leak-guard.ts');
  return folder;
}

/** A name that no other test uses. */
export const freshName = (): string => `t${randomBytes(4).toString('hex')}`;

/** Runs the real command line with `-o json` and parses its envelope. A failure is a result, not a throw. */
export async function capstan<T = Record<string, unknown>>(
  args: readonly string[],
  options: CapstanOptions = {},
): Promise<CapstanRun<T>> {
  const { status, stdout, stderr } = await capstanText([...args, '-o', 'json'], options);
  try {
    return { status, stdout, stderr, result: JSON.parse(stdout) as Envelope<T> };
  } catch {
    throw new Error(
      `capstan ${args.join(' ')} printed no document (status ${status}):\n${stdout}\n${stderr}`,
    );
  }
}

/** Runs the real command line as it is typed. */
export function capstanText(
  args: readonly string[],
  {
    environment,
    signal,
    killSignal = 'SIGKILL',
    onStderr,
    timeoutMs = CALL_TIMEOUT_MS,
    program = ownProgram,
  }: CapstanOptions = {},
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, CAPSTAN_STATE_DIR: testStateDir(), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal,
      ...(signal === undefined ? {} : { signal }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      onStderr?.(text);
    });
    child.once('error', (error) => {
      // An abort kills the command on purpose; `close` follows.
      if (error.name !== 'AbortError') reject(error);
    });
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
}

export interface TestSandbox {
  readonly name: string;
  readonly environment: SandboxEnvironment;
  /** The command line with this sandbox as its estate. */
  readonly capstan: <T = Record<string, unknown>>(args: readonly string[]) => Promise<CapstanRun<T>>;
  down(): Promise<void>;
}

interface SandboxOptions extends Pick<CapstanOptions, 'program'> {
  /** Whether its agents fail over by themselves. */
  readonly automatic?: boolean;
}

/** The shipped contract, but for failovers: a test that plays the operator mustn't race the agents. */
async function contractByHand(name: string): Promise<string> {
  const shipped = await readFile(new URL('contract.yaml', root), 'utf8');
  const path = join(testStateDir(), `${name}-contract.yaml`);
  await writeFile(path, shipped.replace('automatic: true', 'automatic: false'));
  return path;
}

/**
 * Starts a sandbox; whoever starts it ends it with `down` (in `afterAll`). Its agents fail nothing over by themselves
 * unless `automatic` says so. Throws with the whole output on failure.
 */
export async function startSandbox(
  args: readonly string[] = [],
  { automatic = false, ...build }: SandboxOptions = {},
): Promise<TestSandbox> {
  const usual = args.length === 0 && !automatic && build.program === undefined;
  return usual ? startUsual() : startFresh(freshName(), args, { automatic, ...build });
}

async function startFresh(
  name: string,
  args: readonly string[],
  { automatic = false, ...build }: SandboxOptions,
): Promise<TestSandbox> {
  const contract = automatic ? undefined : await contractByHand(name);
  await up(name, [...(contract === undefined ? [] : ['--contract', contract]), ...args], build);
  if (contract !== undefined) await rm(contract);
  return handleOf(name, build);
}

/** The usual sandbox is made once by each worker; after that it is a copy of what that one was at rest. */
async function startUsual(): Promise<TestSandbox> {
  const name = `usual-${process.env['VITEST_POOL_ID'] ?? '1'}`;
  const rested = new RestedSandbox(testStateDir(), name);
  if (rested.made) {
    // A file whose process died has left it as it was.
    if (rested.inUse) await down(name);
    await rested.place();
  } else {
    await startFresh(name, [], {});
    await down(name, ['--keep-data']);
    await rested.keep();
  }
  rested.take();
  await up(name, []);
  const handle = await handleOf(name, {});
  return {
    ...handle,
    down: async () => {
      await handle.down();
      await rested.giveBack();
    },
  };
}

async function up(
  name: string,
  args: readonly string[],
  build: Pick<CapstanOptions, 'program'> = {},
): Promise<void> {
  const { status, stdout, stderr } = await capstanText(['sandbox', 'up', '--name', name, ...args], build);
  if (status === 0) return;
  await capstanText(['sandbox', 'down', '--name', name], build);
  throw new Error(`sandbox up failed (status ${status}):\n${stdout}\n${stderr}`);
}

async function down(
  name: string,
  args: readonly string[] = [],
  build: Pick<CapstanOptions, 'program'> = {},
): Promise<void> {
  const { status, stdout, stderr } = await capstanText(['sandbox', 'down', '--name', name, ...args], build);
  if (status !== 0) throw new Error(`sandbox down failed:\n${stdout}\n${stderr}`);
}

async function handleOf(name: string, build: Pick<CapstanOptions, 'program'>): Promise<TestSandbox> {
  const { result } = await capstan<SandboxEnvironment>(['sandbox', 'env', '--name', name], build);
  const environment = { CAPSTAN_SANDBOX: name, CAPSTAN_CONFIG: result.data.config };
  return {
    name,
    environment: result.data,
    capstan: (words) => capstan(words, { environment, ...build }),
    down: () => down(name, [], build),
  };
}
