const LSN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;

/**
 * A WAL position `X/Y` as one number, so that it can be compared: as text `0/9` would sort after `0/10`.
 * Undefined when the text isn't an LSN. (PostgreSQL: "pg_lsn Type".)
 */
export function parseLsn(text: string): bigint | undefined {
  const match = LSN.exec(text);
  if (match === null) return undefined;
  const [, high = '', low = ''] = match;
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}
