import { type CapstanError, usageError } from '../../domain/errors.ts';
import type { LinkReport } from './link.ts';

/** The error `link_unknown` (exit 2), with the ends that there are; `to` undefined: any. */
export function linkUnknown(
  from: string,
  to: string | undefined,
  links: readonly Pick<LinkReport, 'from' | 'to'>[],
): CapstanError {
  const there = links.filter((link) => link.from === from).map((link) => link.to);
  const ends = [...new Set(links.map((link) => link.from))];
  return usageError(`there is no link from ${from}${to === undefined ? '' : ` to ${to}`}`, {
    code: 'link_unknown',
    next:
      there.length > 0
        ? `links from ${from} go to ${there.join(', ')}`
        : `ends of links: ${ends.join(', ')}; members have some in a sandbox made with --member-links`,
  });
}
