import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { EstateConfig } from '../config/estate-config.ts';
import { isName } from '../domain/identifiers.ts';

/** The part of the configuration that finds etcd. */
export type QuickConfig = Pick<EstateConfig, 'estate' | 'etcd'>;

/**
 * The estate's name and etcd's endpoints, without the schema library (0.05 s to load, as long as all the rest of a quick
 * command). Accepts only what it fully understands; undefined means that the full loader must read the file, which
 * also words the errors.
 */
export async function quickConfig(path: string): Promise<QuickConfig | undefined> {
  const { parse } = await import('yaml');
  let document: unknown;
  try {
    document = parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
  if (!isRecord(document) || !isName(document['estate']) || !isRecord(document['etcd'])) return undefined;
  const { endpoints, username, password, ...others } = document['etcd'];
  if (Object.keys(others).length > 0 || !isEndpoints(endpoints)) return undefined;
  if (username === undefined && password === undefined) {
    return { estate: document['estate'], etcd: { endpoints } };
  }
  if (typeof username !== 'string' || !isRecord(password) || Object.keys(password).length !== 1)
    return undefined;
  const { file, env } = password;
  if (typeof env === 'string')
    return { estate: document['estate'], etcd: { endpoints, username, password: { env } } };
  if (typeof file !== 'string') return undefined;
  const secret = { file: resolve(dirname(path), file) };
  return { estate: document['estate'], etcd: { endpoints, username, password: secret } };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One that carries a user is refused by the full loader. */
const isUrl = (value: unknown): value is string => {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  return url?.username === '' && url.password === '';
};

const isEndpoints = (value: unknown): value is EstateConfig['etcd']['endpoints'] =>
  isRecord(value) &&
  'default' in value &&
  Object.values(value).every((urls) => Array.isArray(urls) && urls.length > 0 && urls.every(isUrl));
