/** Who asks for an address: a region, or a member and its region. An address of the first that has one is taken. */
export type Viewpoint = string | readonly string[] | undefined;

/** The address of something as seen from there; `default` where no other is given. Loads nothing heavy. */
export function addressFrom<T>(addresses: Readonly<Record<string, T>>, from: Viewpoint): T {
  const names = from === undefined ? [] : typeof from === 'string' ? [from] : from;
  const address = names.map((name) => addresses[name]).find((found) => found !== undefined);
  const chosen = address ?? addresses['default'];
  if (chosen === undefined) throw new Error('an address map without a default passed the schema');
  return chosen;
}
