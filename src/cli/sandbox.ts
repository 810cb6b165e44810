import { custom } from '@oclif/core/flags';
import { usageError } from '../domain/errors.ts';
import { isName, NAME_RULE } from '../domain/identifiers.ts';
import { SandboxPaths } from '../sandbox/folders.ts';
import type { SandboxState } from '../sandbox/state.ts';
import { sandboxName } from './locate-config.ts';

/** `--name`: which sandbox; else CAPSTAN_SANDBOX, else `default`. */
export const sandboxFlag = custom({
  summary: 'Which sandbox; else CAPSTAN_SANDBOX, else default.',
  helpValue: 'NAME',
  parse: async (input) => {
    if (!isName(input)) {
      throw usageError(`${JSON.stringify(input)} is not a name (${NAME_RULE})`, { code: 'name_invalid' });
    }
    return input;
  },
});

/** The name that `--name` or the environment gives. */
export const chosenSandbox = (flag: string | undefined): string => flag ?? sandboxName(process.env);

/** The sandbox that `--name` or the environment names. Throws CapstanError `sandbox_not_found` (exit 4). */
export async function openSandbox(
  flag: string | undefined,
): Promise<{ readonly paths: SandboxPaths; readonly state: SandboxState }> {
  const { requireSandboxState } = await import('../sandbox/state.ts');
  const paths = new SandboxPaths(chosenSandbox(flag));
  return { paths, state: await requireSandboxState(paths) };
}
