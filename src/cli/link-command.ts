import { string as stringArg } from '@oclif/core/args';
import { boolean } from '@oclif/core/flags';
import type { LinkPair } from '../sandbox/link/client.ts';
import type { LinkReport, LinkSettings } from '../sandbox/link/link.ts';
import { linkUnknown } from '../sandbox/link/link-unknown.ts';
import { isRegion } from '../sandbox/topology.ts';
import { linkTable } from './present/sandbox.ts';
import type { CommandResult } from './result.ts';
import { openSandbox, sandboxFlag } from './sandbox.ts';

export const LINK_ERRORS = ['sandbox_not_found', 'link_unknown', 'link_unreachable'] as const;

export const linkArgs = {
  from: stringArg({ description: 'A region or a member.', required: true }),
  to: stringArg({
    description: 'Another region; of a member: `etcd`, or a member beside it.',
    required: true,
  }),
};

export const linkFlags = {
  name: sandboxFlag(),
  'one-way': boolean({ summary: 'Only what goes from the first to the second.' }),
};

/** Which links an order is about: between two ends, or all of one end. */
export interface LinkOrder {
  readonly from: string;
  readonly to: string | undefined;
  readonly oneWay: boolean;
}

/** Both directions, or one. Throws `link_unknown` (exit 2) for an end that has no links. */
export function pairsOf({ from, to, oneWay }: LinkOrder, links: readonly LinkReport[]): readonly LinkPair[] {
  const there = to === undefined ? links.flatMap((link) => (link.from === from ? [link.to] : [])) : [to];
  if (there.length === 0) throw linkUnknown(from, to, links);
  return there.flatMap((end) =>
    oneWay
      ? [{ from, to: end }]
      : [
          { from, to: end },
          { from: end, to: from },
        ],
  );
}

/** Changes links and reports the ones that were named; `changed` compares with what they were before. */
export async function changeLinks(options: {
  readonly kind: string;
  readonly name: string | undefined;
  readonly order: LinkOrder;
  readonly settings: Partial<LinkSettings>;
}): Promise<CommandResult> {
  const { kind, name, order, settings } = options;
  const { LinkClient } = await import('../sandbox/link/client.ts');
  const { paths, state } = await openSandbox(name);
  const client = new LinkClient(paths, state);
  const before = await client.show();
  const pairs = pairsOf(order, before);
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
    view: () => [linkTable(pairs === undefined ? named.filter(({ from }) => isRegion(from)) : named)],
  };
}
