/** One rule for every identifier that a client sends: printable, no spaces, bounded, safe in a URL path. */
const CLIENT_ID = /^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$/;

/** Names of clusters, members, regions and sandboxes: lower-case, safe in keys, file names and application_name. */
const NAME = /^[a-z][a-z0-9-]{0,39}$/;

/** Whether a client's issuer, reservation token, reservation id or desk is well formed. */
export const isClientId = (text: unknown): text is string => typeof text === 'string' && CLIENT_ID.test(text);

/** Whether a cluster's, member's, region's or sandbox's name is well formed. */
export const isName = (text: unknown): text is string => typeof text === 'string' && NAME.test(text);

export const CLIENT_ID_RULE =
  '1-128 characters, letters, digits and . _ : @ + -, starting with a letter or digit';
export const NAME_RULE = '1-40 characters, lower-case letters, digits and -, starting with a letter';
