import { refusedError, usageError } from '../domain/errors.ts';
import { interruption } from './interruption.ts';

interface Asking {
  /** Whether a question may be asked at all (rule 10). */
  readonly interactive: boolean;
  /** What will happen, in a few words: `fail over c1`. */
  readonly action: string;
}

/**
 * Approves a risky change: `--confirm=<name>` names exactly what it hits, or a person types the name. Throws
 * CapstanError `confirmation_required` (exit 2), `confirmation_mismatch` or `not_confirmed` (exit 4; nothing changed).
 */
export async function confirmByName(
  options: Asking & { readonly name: string; readonly confirm: string | undefined },
): Promise<void> {
  const { interactive, action, name, confirm } = options;
  if (confirm !== undefined) {
    if (confirm === name) return;
    throw refusedError(`--confirm=${confirm} does not name ${name}; nothing changed`, {
      code: 'confirmation_mismatch',
      next: `to ${action}: --confirm=${name}`,
    });
  }
  if (!interactive) throw confirmationRequired(action, `--confirm=${name}`);
  const typed = await ask(async (context) => {
    const { input } = await import('@inquirer/prompts');
    return input({ message: `To ${action}, type ${name}:` }, context);
  });
  if (typed.trim() !== name) throw notConfirmed(action);
}

/** Approves a change of low risk: `--yes`, or a `y`; the default is no. The same errors as `confirmByName`. */
export async function confirmYes(options: Asking & { readonly yes: boolean }): Promise<void> {
  const { interactive, action, yes } = options;
  if (yes) return;
  if (!interactive) throw confirmationRequired(action, '--yes');
  const agreed = await ask(async (context) => {
    const { confirm } = await import('@inquirer/prompts');
    return confirm({ message: `${action}?`, default: false }, context);
  });
  if (!agreed) throw notConfirmed(action);
}

/** Questions go to stderr; Ctrl-C at a question counts as a signal, and so does the end of the input. */
async function ask<T>(
  question: (context: { output: NodeJS.WritableStream; signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  try {
    return await question({ output: process.stderr, signal: interruption().signal });
  } catch (error) {
    if (!(error instanceof Error) || !/^(Exit|AbortPrompt)/.test(error.name)) throw error;
    interruption().interrupt();
    throw refusedError('interrupted at the question; nothing changed', { code: 'interrupted', cause: error });
  }
}

const confirmationRequired = (action: string, flag: string) =>
  usageError(`to ${action} needs ${flag}: nobody can be asked here (no terminal, CI, --json or --no-input)`, {
    code: 'confirmation_required',
    next: `run it again with ${flag}`,
    data: { flag },
  });

const notConfirmed = (action: string) =>
  refusedError(`not confirmed: did not ${action}; nothing changed`, { code: 'not_confirmed' });
