/** The address of something as seen from `region`; `default` where no other is given. Loads nothing heavy. */
export function addressFrom<T>(addresses: Readonly<Record<string, T>>, region: string | undefined): T {
  const address = (region === undefined ? undefined : addresses[region]) ?? addresses['default'];
  if (address === undefined) throw new Error('an address map without a default passed the schema');
  return address;
}
