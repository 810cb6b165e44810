import type { ClusterView } from '../controlplane/cluster-view.ts';
import type { EstateView } from '../controlplane/estate-watch.ts';
import type { Versioned } from '../controlplane/store.ts';
import type { AuthorityRecord } from '../domain/records.ts';
import type { AgentContext } from './context.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { LocalPostgres } from './local-postgres.ts';

/** What an action gets: the state that it was decided on, and the tools. `signal` fires when the authority changes. */
export interface Work {
  readonly context: AgentContext;
  readonly postgres: LocalPostgres;
  readonly keeper: LeaseKeeper;
  readonly estate: EstateView;
  readonly view: ClusterView;
  readonly authority: Versioned<AuthorityRecord>;
  readonly signal: AbortSignal;
}
