import { AwsClient } from 'aws4fetch';
import { archiveUnreachable } from './archive-errors.ts';
import type { ArchiveStore } from './store.ts';

export interface S3StoreOptions {
  /** `https://host:port`; the bucket is the first part of the path. */
  readonly endpoint: string;
  readonly bucket: string;
  /** Before every key; empty, or ends in `/`. */
  readonly prefix: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Of one request, its body included. */
  readonly deadlineMs: number;
}

const RETRIES = 3;
const NOT_FOUND = 404;

/**
 * An archive in a bucket of any store that speaks S3: it puts, gets and lists whole objects and asks for nothing else (no
 * conditional write, no multipart), and keys hold only what needs no escape. Two that make the same key at once both
 * write the same, so the last one changes nothing.
 */
export class S3Store implements ArchiveStore {
  readonly where: string;
  readonly #options: S3StoreOptions;
  readonly #client: AwsClient;

  constructor(options: S3StoreOptions) {
    const { endpoint, bucket, prefix, region, accessKey, secretKey } = options;
    this.where = `${endpoint}/${bucket}/${prefix}`;
    this.#options = options;
    this.#client = new AwsClient({
      accessKeyId: accessKey,
      secretAccessKey: secretKey,
      service: 's3',
      region,
      retries: RETRIES,
    });
  }

  async create(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    const url = this.#url(key);
    const there = await this.#send(url, { method: 'HEAD' }, [NOT_FOUND]);
    if (there.status !== NOT_FOUND) return 'exists';
    await this.#send(url, { method: 'PUT', body: new Uint8Array(bytes) });
    return 'created';
  }

  async read(key: string): Promise<Buffer | undefined> {
    const { status, body } = await this.#send(this.#url(key), { method: 'GET' }, [NOT_FOUND]);
    return status === NOT_FOUND ? undefined : body;
  }

  async *list(folder: string, after?: string): AsyncIterable<string> {
    const prefix = `${this.#options.prefix}${folder}`;
    let token: string | undefined;
    do {
      const query = new URLSearchParams({ 'list-type': '2', delimiter: '/', prefix });
      if (after !== undefined) query.set('start-after', `${prefix}${after}`);
      if (token !== undefined) query.set('continuation-token', token);
      const { body } = await this.#send(`${this.#bucket}?${query.toString()}`, { method: 'GET' });
      const page = parseListing(body.toString('utf8'));
      for (const key of page.keys) {
        const name = key.slice(prefix.length);
        if (name !== '' && (after === undefined || name > after)) yield name;
      }
      token = page.next;
    } while (token !== undefined);
  }

  close(): void {
    // Requests end by their deadlines; nothing else is held.
  }

  get #bucket(): string {
    return `${this.#options.endpoint}/${this.#options.bucket}`;
  }

  #url(key: string): string {
    return `${this.#bucket}/${this.#options.prefix}${key}`;
  }

  async #send(
    url: string,
    init: { readonly method: string; readonly body?: Uint8Array<ArrayBuffer> },
    expected: readonly number[] = [],
  ): Promise<{ readonly status: number; readonly body: Buffer }> {
    try {
      const signal = AbortSignal.timeout(this.#options.deadlineMs);
      const response = await this.#client.fetch(url, { ...init, signal });
      const body = Buffer.from(await response.arrayBuffer());
      if (response.ok || expected.includes(response.status)) return { status: response.status, body };
      throw new Error(`${init.method} answers ${response.status}: ${reasonIn(body)}`);
    } catch (error) {
      throw archiveUnreachable(this.where, error);
    }
  }
}

const tags = (xml: string, tag: string): readonly string[] =>
  [...xml.matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, 'g'))].map(([, text]) => text ?? '');

/** Keys and folders of one page in order. Ours hold nothing that XML escapes; a stranger's may, and is told as it is. */
function parseListing(xml: string): { readonly keys: readonly string[]; readonly next: string | undefined } {
  const folders = [...xml.matchAll(/<CommonPrefixes>\s*<Prefix>([^<]*)<\/Prefix>/g)].map(
    ([, text]) => text ?? '',
  );
  const keys = [...tags(xml, 'Key'), ...folders].toSorted((a, b) => (a < b ? -1 : 1));
  const truncated = tags(xml, 'IsTruncated')[0] === 'true';
  return { keys, next: truncated ? tags(xml, 'NextContinuationToken')[0] : undefined };
}

const reasonIn = (body: Buffer): string => {
  const xml = body.toString('utf8');
  return tags(xml, 'Message')[0] ?? tags(xml, 'Code')[0] ?? 'no reason is given';
};
