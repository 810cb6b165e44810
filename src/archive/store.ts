/**
 * Where an archive is kept: a folder, or a store that speaks S3. Objects are made once and never changed, so there is
 * nothing to overwrite and nothing to lock. Every call ends by its own deadline.
 */
export interface ArchiveStore {
  /** For people: no secret is in it. */
  readonly where: string;
  /**
   * Makes an object as a whole, durably, if there is none of that key. After an answer that was lost the object may be
   * there: whoever asks again reads it. Throws CapstanError `archive_unreachable` (exit 7).
   */
  create(key: string, bytes: Uint8Array): Promise<'created' | 'exists'>;
  /** The object; undefined: there is none. */
  read(key: string): Promise<Buffer | undefined>;
  /** The names directly below a folder (`a/b/`), in order of their bytes, after `after` if given; a folder's own name ends in `/`. */
  list(folder: string, after?: string): AsyncIterable<string>;
  close(): void;
}
