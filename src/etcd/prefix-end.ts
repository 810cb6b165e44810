/** The end of the byte range that holds every key with this prefix (etcd's API: "key plus one"). */
export function prefixEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix, 'utf8');
  const last = end.findLastIndex((byte) => byte < 0xff);
  if (last === -1) return Buffer.from([0]);
  end[last] = (end[last] ?? 0) + 1;
  return end.subarray(0, last + 1);
}
