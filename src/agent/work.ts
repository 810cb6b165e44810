import type { ClusterView } from '../controlplane/cluster-view.ts';
import type { EstateView } from '../controlplane/estate-watch.ts';
import type { Versioned } from '../controlplane/store.ts';
import type { AuthorityRecord } from '../domain/records.ts';
import type { MemberContext } from './context.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { MemberPostgres } from './member-postgres.ts';

/** The state that an action was decided on. `signal` fires when the authority changes. */
export interface Round {
  readonly estate: EstateView;
  readonly view: ClusterView;
  readonly authority: Versioned<AuthorityRecord>;
  /** Of the running Postgres; empty when it doesn't run. */
  readonly serverRun: string;
  readonly signal: AbortSignal;
}

/** What an action gets: the state that it was decided on, and the tools. */
export interface Work extends Round {
  readonly context: MemberContext;
  readonly postgres: MemberPostgres;
  readonly keeper: LeaseKeeper;
}
