import { isDisturbed, type LinkReport } from '../../sandbox/link/link.ts';
import { isRegion } from '../../sandbox/topology.ts';
import type { ProcessOutcome } from '../../sandbox/control.ts';
import type { ProcessStatus } from '../../sandbox/status.ts';
import { type Column, facts, type Section, table } from '../render/section.ts';

export const PROCESS_COLUMNS: readonly Column<ProcessStatus>[] = [
  { header: 'PROCESS', value: ({ name }) => name },
  { header: 'REGION', value: ({ region }) => region },
  { header: 'STATE', value: ({ state }) => state },
  { header: 'POSTGRES', value: ({ kind, postgres }) => (kind === 'member' ? postgres : '') },
  { header: 'AGENT SAYS', value: ({ memberState }) => memberState },
  { header: 'PORT', value: ({ port }) => port, align: 'right' },
  { header: 'PID', value: ({ pid }) => pid, align: 'right' },
  { header: 'SINCE', value: ({ since }) => since, wide: true },
];

const LINK_COLUMNS: readonly Column<LinkReport>[] = [
  { header: 'FROM', value: ({ from }) => from },
  { header: 'TO', value: ({ to }) => to },
  { header: 'DELAY', value: ({ delayMs }) => `${delayMs} ms`, align: 'right' },
  {
    header: 'BANDWIDTH',
    value: ({ bytesPerSecond }) => (bytesPerSecond === null ? 'unlimited' : `${bytesPerSecond} B/s`),
    align: 'right',
  },
  { header: 'STATE', value: ({ cut }) => (cut === null ? 'open' : `cut (${cut})`) },
  { header: 'CONNECTIONS', value: ({ connections }) => connections, align: 'right' },
  { header: 'BYTES', value: ({ deliveredBytes }) => deliveredBytes, align: 'right', wide: true },
];

export const linkTable = (links: readonly LinkReport[]): Section =>
  table({ columns: LINK_COLUMNS, rows: links });

/** Members have two dozen links of their own, which only count once somebody has touched them. */
export const linksWorthShowing = (
  links: readonly LinkReport[],
  { wide, wanDelayMs }: { readonly wide: boolean; readonly wanDelayMs: number },
): readonly LinkReport[] =>
  links.filter(
    (link) => wide || isDisturbed(link, { wanDelayMs }) || (isRegion(link.from) && isRegion(link.to)),
  );

/** What a signal did to a process. */
export const outcomeSection = (verb: string, { process, only, changed, pids }: ProcessOutcome): Section =>
  facts([
    ['process', only === null ? process : `${process} (${only} only)`],
    ['result', changed ? `${verb} ${pids.length} process${pids.length === 1 ? '' : 'es'}` : 'nothing to do'],
  ]);
