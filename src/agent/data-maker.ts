import type { MemberRecord } from '../domain/records.ts';
import type { Action } from './action.ts';
import type { Work } from './work.ts';

/** Makes data directories. */
export interface DataMaker {
  bootstrap(work: Work): Promise<void>;
  clone(work: Work, leader: string): Promise<void>;
  /** Reads what shut data holds beyond the leader's log, into etcd. */
  salvage(work: Work, about: Extract<Action, { kind: 'salvage' }>): Promise<void>;
  /** Rewinds the data, or leaves it to be cloned anew. */
  restore(work: Work, about: Omit<Extract<Action, { kind: 'restore' }>, 'kind'>): Promise<void>;
  /** Compares rewound data with the leader's. */
  prove(work: Work, leader: MemberRecord): Promise<void>;
}
