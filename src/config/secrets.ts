import { readFile } from 'node:fs/promises';
import { messageOf, usageError } from '../domain/errors.ts';
import type { SecretSource } from './estate-config.ts';

/**
 * Reads a secret from its file or environment variable, without its trailing newline. `field` names the setting in an
 * error; the secret itself is never part of one. Throws CapstanError `secret_missing` (exit 2).
 */
export async function readSecret(source: SecretSource, field: string): Promise<string> {
  if ('env' in source) {
    const value = process.env[source.env];
    if (value === undefined || value === '') {
      throw usageError(`${field}: the environment variable ${source.env} is not set`, {
        code: 'secret_missing',
      });
    }
    return value;
  }
  let text: string;
  try {
    text = await readFile(source.file, 'utf8');
  } catch (error) {
    throw usageError(`${field}: ${messageOf(error)}`, { code: 'secret_missing', cause: error });
  }
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw usageError(`${field}: ${source.file} is empty`, { code: 'secret_missing' });
  return value;
}
