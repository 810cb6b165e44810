import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SandboxPaths } from '../sandbox/folders.ts';
import { usageError } from '../domain/errors.ts';
import { isName, NAME_RULE } from '../domain/identifiers.ts';

export type ConfigSource = 'flag' | 'environment' | 'nearest-file' | 'sandbox';

export interface ConfigLocation {
  readonly path: string;
  readonly source: ConfigSource;
  /** Why this one, in a sentence. */
  readonly why: string;
}

export interface LocateOptions {
  readonly flag: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
  readonly folder: string;
}

const FILE = 'capstan.yaml';

/**
 * Which `capstan.yaml` counts: `--config`, then CAPSTAN_CONFIG, then the nearest one upward, then the sandbox
 * (CAPSTAN_SANDBOX names it; else `default`). Throws CapstanError `config_not_found` (exit 2).
 */
export function locateConfig({ flag, environment, folder }: LocateOptions): ConfigLocation {
  if (flag !== undefined) {
    return { path: resolve(folder, flag), source: 'flag', why: '--config names it' };
  }
  const named = environment['CAPSTAN_CONFIG'];
  if (named !== undefined && named !== '') {
    return { path: resolve(folder, named), source: 'environment', why: 'CAPSTAN_CONFIG names it' };
  }
  const nearest = nearestConfig(folder);
  if (nearest !== undefined) {
    const here = dirname(nearest) === resolve(folder);
    return {
      path: nearest,
      source: 'nearest-file',
      why: here ? 'it is in this folder' : 'it is the nearest one above this folder',
    };
  }
  const sandbox = sandboxName(environment);
  const { config, state } = new SandboxPaths(sandbox, environment);
  if (existsSync(config) && existsSync(state)) {
    return {
      path: config,
      source: 'sandbox',
      why: `the sandbox ${sandbox} exists, and nothing else was named`,
    };
  }
  throw usageError(
    `no estate: no --config, no CAPSTAN_CONFIG, no capstan.yaml here or above, and no sandbox "${sandbox}"`,
    {
      code: 'config_not_found',
      next: 'capstan sandbox up, or name the estate with --config=<capstan.yaml> or a sandbox with CAPSTAN_SANDBOX',
      data: { folder: resolve(folder), sandbox },
    },
  );
}

/** The sandbox that CAPSTAN_SANDBOX selects. Throws CapstanError `name_invalid` (exit 2). */
export function sandboxName(environment: NodeJS.ProcessEnv): string {
  const name = environment['CAPSTAN_SANDBOX'] ?? 'default';
  if (!isName(name)) {
    throw usageError(`CAPSTAN_SANDBOX: ${JSON.stringify(name)} is not a name (${NAME_RULE})`, {
      code: 'name_invalid',
    });
  }
  return name;
}

function nearestConfig(folder: string): string | undefined {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const candidate = join(at, FILE);
    if (existsSync(candidate)) return candidate;
    if (dirname(at) === at) return undefined;
  }
}
