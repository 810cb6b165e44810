import { string as stringArg } from '@oclif/core/args';
import { boolean } from '@oclif/core/flags';
import type { LinkPair } from '../sandbox/link/client.ts';
import type { LinkReport, LinkSettings } from '../sandbox/link/link.ts';
import { linkTable } from './present/sandbox.ts';
import type { CommandResult } from './result.ts';
import { openSandbox, sandboxFlag } from './sandbox.ts';

export const LINK_ERRORS = ['sandbox_not_found', 'link_unknown', 'link_unreachable'] as const;

export const linkArgs = {
  from: stringArg({ description: 'A region.', required: true }),
  to: stringArg({ description: 'Another region.', required: true }),
};

export const linkFlags = {
  name: sandboxFlag(),
  'one-way': boolean({ summary: 'Only what goes from the first region to the second.' }),
};

/** Both directions between two regions, or one. */
export const pairsOf = (from: string, to: string, oneWay: boolean): LinkPair[] =>
  oneWay
    ? [{ from, to }]
    : [
        { from, to },
        { from: to, to: from },
      ];

/** Changes links and reports the ones that were named; `changed` compares with what they were before. */
export async function changeLinks(options: {
  readonly kind: string;
  readonly name: string | undefined;
  readonly pairs: readonly LinkPair[];
  readonly settings: Partial<LinkSettings>;
}): Promise<CommandResult> {
  const { kind, name, pairs, settings } = options;
  const { LinkClient } = await import('../sandbox/link/client.ts');
  const { paths, state } = await openSandbox(name);
  const client = new LinkClient(paths, state);
  const before = await client.show();
  return linkResult({ kind, pairs, before, after: await client.change(pairs, settings) });
}

/** The result of a change of links; `pairs` undefined: all of them. */
export function linkResult(options: {
  readonly kind: string;
  readonly pairs: readonly LinkPair[] | undefined;
  readonly before: readonly LinkReport[];
  readonly after: readonly LinkReport[];
}): CommandResult {
  const { kind, pairs, before, after } = options;
  const named = after.filter(
    (link) => pairs?.some(({ from, to }) => from === link.from && to === link.to) ?? true,
  );
  const changed = named.some((link) => {
    const old = before.find(({ from, to }) => from === link.from && to === link.to);
    return (
      old?.cut !== link.cut || old.delayMs !== link.delayMs || old.bytesPerSecond !== link.bytesPerSecond
    );
  });
  return {
    kind,
    data: { changed, links: named },
    names: named.map(({ from, to }) => `link/${from}/${to}`),
    view: () => [linkTable(named)],
  };
}
