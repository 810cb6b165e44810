import type { OperationDetail } from '../schemas/operation.ts';
import { facts, type Section } from '../render/section.ts';

export interface NewLeader {
  readonly leader: string | null;
  readonly term: number | null;
  readonly pauseMs: number | null;
}

/** What the journal says of the run itself: nothing that is read now may make it look otherwise. Null while it isn't done. */
export function newLeaderOf(operation: OperationDetail | null): NewLeader {
  const { leader, term, pauseMs } = operation?.steps.findLast(({ name }) => name === 'settle')?.result ?? {};
  return {
    leader: typeof leader === 'string' ? leader : null,
    term: typeof term === 'number' ? term : null,
    pauseMs: typeof pauseMs === 'number' ? pauseMs : null,
  };
}

export const newLeaderSections = (cluster: string, { leader, term, pauseMs }: NewLeader): Section[] => [
  facts([
    ['cluster', cluster],
    ['new leader', leader],
    ['term', term],
    ['pause', pauseMs === null ? null : `${pauseMs} ms`],
  ]),
];
