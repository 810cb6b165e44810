export interface EtcdTls {
  readonly ca: Buffer;
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
}

/** How to reach one etcd cluster, by either adapter. */
export interface EtcdOptions {
  /** `http://host:port` or `https://host:port`, the nearest first. */
  readonly endpoints: readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: EtcdTls | undefined;
  /** The longest that a call may take when it names no time of its own; default 2000. */
  readonly timeoutMs?: number | undefined;
}
