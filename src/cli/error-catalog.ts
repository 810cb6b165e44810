import type { ExitStatus } from '../domain/errors.ts';

interface CatalogEntry {
  readonly exit: ExitStatus;
  /** When it occurs, in a few words. */
  readonly when: string;
}

const catalog = {
  bug: { exit: 1, when: 'something that nobody foresaw; --debug shows the stack' },
  interrupted: { exit: 5, when: 'a signal stopped the command before it finished' },
  usage: { exit: 2, when: 'the command line can not be read' },
  command_not_found: { exit: 2, when: 'there is no such command' },
  command_incomplete: { exit: 2, when: 'a noun without its verb' },
  argument_missing: { exit: 2, when: 'a required argument is missing' },
  argument_unexpected: { exit: 2, when: 'there are more arguments than the command takes' },
  argument_invalid: { exit: 2, when: 'an argument has a value that is not allowed' },
  flag_unknown: { exit: 2, when: 'the command has no such flag' },
  flag_invalid: { exit: 2, when: 'a flag has a value that is not allowed' },
  flag_missing: { exit: 2, when: 'a required flag is missing' },
  flags_conflict: { exit: 2, when: 'flags that exclude or need each other' },
  name_invalid: { exit: 2, when: 'a name that no cluster, member, region or sandbox can have' },
  config_not_found: { exit: 2, when: 'no capstan.yaml is named or found, and no sandbox exists' },
  config_unreadable: { exit: 2, when: 'the configuration or a file that it names can not be read' },
  config_invalid: { exit: 2, when: 'the configuration breaks a rule; the message names each field' },
  contract_unreadable: { exit: 2, when: 'the contract can not be read' },
  contract_invalid: { exit: 2, when: 'the contract breaks a rule; the message names each field' },
  secret_missing: { exit: 2, when: 'a secret is not where the configuration says' },
  confirmation_required: { exit: 2, when: 'a risky change without a terminal and without its flag' },
  confirmation_mismatch: { exit: 4, when: '--confirm names something else' },
  not_confirmed: { exit: 4, when: 'the question was not answered with the name' },
  estate_missing: { exit: 4, when: 'this etcd holds no such estate; capstan init makes it' },
  record_invalid: { exit: 1, when: 'etcd holds something that Capstan did not write' },
  concurrent_change: { exit: 4, when: 'somebody else changed it at the same time' },
  issuer_invalid: { exit: 2, when: 'not an issuer that a client could send' },
  shard_missing: { exit: 4, when: 'the estate has no such shard' },
  cluster_not_found: { exit: 4, when: 'the estate has no such cluster' },
  map_version_missing: { exit: 4, when: 'the shard map never had that version' },
  operation_not_found: { exit: 4, when: 'there is no such operation' },
  member_not_found: { exit: 4, when: 'the cluster has no such member' },
  member_not_configured: { exit: 4, when: 'the configuration does not say where the member is' },
  loss_unsalvaged: { exit: 4, when: 'the member may hold lost decisions that nobody has salvaged' },
  last_voter: { exit: 4, when: 'without this member no follower votes, and nobody accepted that' },
  last_voter_in_sync: { exit: 4, when: 'no other voter is in sync yet' },
  membership_overdue: { exit: 5, when: 'a change of membership waits for a member or the leader' },
  member_silent: { exit: 5, when: 'the agent of a member that is added is not heard' },
  member_quarantined: { exit: 6, when: 'the data of a member that is added went its own way' },
  member_leads: { exit: 4, when: 'the leader can not be taken out or lose its vote' },
  member_not_learner: { exit: 4, when: 'a member comes in and goes out as a learner only' },
  member_region_differs: { exit: 4, when: 'the member is in another region' },
  role_not_in_region: { exit: 4, when: 'voters are where the leader is, observers elsewhere' },
  commit_token_invalid: { exit: 2, when: 'not a commit token' },
  estate_differs: { exit: 4, when: 'the estate exists, with other shards or another contract' },
  clusters_missing: { exit: 2, when: 'the configuration names no cluster' },
  shard_count_invalid: { exit: 2, when: 'an estate can not have that many shards' },
  cluster_unknown: { exit: 2, when: 'the configuration has no such cluster' },
  cluster_differs: { exit: 4, when: 'the cluster exists with other members' },
  member_unknown: { exit: 2, when: 'the configuration has no such member' },
  gateway_unknown: { exit: 2, when: 'the configuration has no such gateway' },
  schema_unknown: { exit: 2, when: 'no command answers with that kind' },
  check_unknown: { exit: 2, when: 'there is no readiness check of that name' },
  not_ready: { exit: 3, when: 'a check failed or could not be evaluated' },
  leader_healthy: { exit: 4, when: 'the leader’s lease has not lapsed; --force goes on' },
  cluster_not_open: { exit: 4, when: 'the cluster has no leader now, or none yet' },
  cluster_degraded: { exit: 4, when: 'no follower is known to hold every confirmed decision' },
  no_candidate: { exit: 4, when: 'no recorded voter can be reached' },
  too_few_voters: { exit: 4, when: 'not enough recorded voters can be reached' },
  target_not_candidate: { exit: 4, when: 'the chosen member can not lead' },
  degraded_not_allowed: { exit: 4, when: 'the contract forbids to open without a follower' },
  rpo_gate_on: { exit: 4, when: 'the remote follower is not proved to be near enough for a planned change' },
  leader_unhealthy: { exit: 4, when: 'the leader can not hand anything over: that is a failover' },
  pause_over_budget: { exit: 4, when: 'the last measured pause is more than the budget' },
  switchover_not_begun: { exit: 4, when: 'the leader was not ready to hand over; nothing was changed' },
  switchover_backed_out: { exit: 4, when: 'the leader keeps its cluster, after a pause' },
  plan_drifted: { exit: 4, when: 'what the plan rests on has changed' },
  operation_active: { exit: 4, when: 'another operation holds the cluster' },
  operation_superseded: { exit: 4, when: 'another coordinator has taken the operation over' },
  operation_past_no_return: { exit: 4, when: 'the decision is made: the operation only goes forward' },
  operation_finished: { exit: 4, when: 'the operation ended before' },
  operation_aborted: { exit: 4, when: 'the operation was given up: nothing is left to go on with' },
  operation_unsettled: { exit: 5, when: 'what the operation reads keeps changing' },
  operation_phase_unknown: { exit: 4, when: 'a newer version of Capstan began the operation' },
  operation_interrupted: { exit: 5, when: 'stopped at a safe step; the message says what is left' },
  operation_stopped: { exit: 5, when: 'something else stopped the operation; it stays resumable' },
  operation_timed_out: { exit: 5, when: 'the time is up and the operation goes on being resumable' },
  region_of_leader: { exit: 4, when: 'the cluster is led from that region already' },
  region_without_member: { exit: 4, when: 'the cluster has no member in that region' },
  loss_over_budget: {
    exit: 4,
    when: 'what a regional failover would lose is over the RPO budget, or not known',
  },
  loss_exceeds_plan: { exit: 4, when: 'more would be lost than the plan foresaw and anybody accepted' },
  loss_not_open: { exit: 4, when: 'the operation has no loss that could be accepted' },
  proof_incomplete: { exit: 5, when: 'nothing proves in time that the old leader can confirm nothing more' },
  freeze_incomplete: { exit: 5, when: 'not every follower is frozen in time' },
  in_sync_changed: { exit: 4, when: 'the in-sync set changed under the operation' },
  promotion_overdue: { exit: 5, when: 'the decided member has not promoted in time' },
  promotion_changed: { exit: 6, when: 'a verified promotion report was replaced' },
  prefix_differs: {
    exit: 6,
    when: 'the new leader does not hold exactly the decided prefix; it stays closed',
  },
  settle_overdue: { exit: 5, when: 'the new leader is open and has not decided in time' },
  authority_mismatch: { exit: 1, when: 'the authority is not as the operation left it' },
  token_invalid: { exit: 2, when: 'not a reservation token that a client could send' },
  token_not_found: { exit: 4, when: 'the authority knows no such token; it may still be in flight' },
  token_unknown: { exit: 5, when: 'the authority could not be asked, or its answer can not be trusted' },
  member_not_heard: { exit: 4, when: 'the member’s agent does not answer' },
  member_not_quarantined: { exit: 4, when: 'the member is not shut, so there is nothing to bring back' },
  rejoin_active: { exit: 4, when: 'the member is being rejoined already' },
  salvage_incomplete: { exit: 5, when: 'what the member holds was not salvaged in time' },
  loss_not_signed_off: { exit: 6, when: 'a person has to sign off what a failover lost first' },
  rejoin_overdue: { exit: 5, when: 'the member has not caught up or been taken in, in time' },
  loss_open: { exit: 4, when: 'what a failover lost is not signed off, so not known for certain' },
  loss_not_found: { exit: 4, when: 'that operation is not known to have lost anything' },
  loss_not_salvaged: {
    exit: 4,
    when: 'a member that may hold lost decisions was neither salvaged nor waived',
  },
  loss_member_unknown: { exit: 2, when: 'the loss does not name that member' },
  loss_token_unknown: { exit: 4, when: 'the report does not name that token' },
  loss_replay_incomplete: { exit: 5, when: 'not every lost decision is known to be decided again' },
  desk_invalid: { exit: 2, when: 'not a desk that a key could be for' },
  keys_unreadable: { exit: 2, when: 'the keys file can not be read or written' },
  keys_invalid: { exit: 2, when: 'the keys file breaks a rule' },
  listen_failed: { exit: 7, when: 'the gateway can not listen on its address' },
  wait_timed_out: { exit: 5, when: 'what was waited for did not happen in time' },
  report_unwritable: { exit: 2, when: 'the report can not be written' },
  postgres_unreachable: { exit: 7, when: 'a Postgres can not be reached in time' },
  etcd_denied: { exit: 7, when: 'etcd refuses the user or the password' },
  etcd_request_refused: { exit: 4, when: 'etcd refuses the request' },
  os_user_missing: { exit: 2, when: 'the account that runs Postgres does not exist' },
  agent_already_runs: { exit: 4, when: 'another agent has the data directory' },
  agent_memory_foreign: { exit: 4, when: 'the data directory belongs to another member' },
  etcd_unreachable: { exit: 7, when: 'no quorum of etcd answers in time' },
  etcd_outcome_unknown: { exit: 5, when: 'etcd may have carried out a change whose answer was lost' },
  sandbox_not_found: { exit: 4, when: 'there is no sandbox of this name' },
  sandbox_exists: { exit: 4, when: 'the sandbox was made with another seed, contract or delay' },
  sandbox_busy: { exit: 4, when: 'another capstan is changing the same sandbox' },
  sandbox_state_broken: { exit: 4, when: 'the sandbox’s own records can not be read' },
  sandbox_process_failed: { exit: 7, when: 'a process of the sandbox ended by itself' },
  sandbox_not_ready: { exit: 7, when: 'the sandbox runs and does not serve in time' },
  sandbox_spawn_failed: { exit: 7, when: 'a process of the sandbox can not be started' },
  sandbox_seed_failed: { exit: 7, when: 'the issuers’ limits can not be set' },
  sandbox_processes_left: { exit: 6, when: 'processes of the sandbox can not be ended' },
  process_unknown: { exit: 4, when: 'the sandbox has no process of this name' },
  process_still_running: { exit: 5, when: 'a process did not act on a signal in time' },
  link_unknown: { exit: 2, when: 'no link goes from the one region to the other' },
  region_unknown: { exit: 2, when: 'the sandbox has no such region for a member' },
  link_unreachable: { exit: 7, when: 'the sandbox’s link process does not answer' },
  history_unreadable: { exit: 2, when: 'the history can not be read' },
  history_invalid: {
    exit: 2,
    when: 'a line of the history has not its form; the message names line and field',
  },
  history_empty: { exit: 2, when: 'the history holds nothing that could be judged' },
  history_violation: { exit: 3, when: 'the history breaks a rule' },
  history_unwritable: { exit: 2, when: 'the history can not be written' },
  drill_unknown: { exit: 2, when: 'there is no drill of that name' },
  drill_run_not_found: { exit: 4, when: 'there is no such run of a drill' },
  drill_violation: { exit: 3, when: 'a run of a drill shows that a promise was broken' },
  drill_too_short: { exit: 2, when: 'the drill ends before one of its faults could have its time' },
  drill_heal_incomplete: { exit: 5, when: 'something of the sandbox is not well again in time' },
  fault_unknown: { exit: 2, when: 'there is no fault of that name' },
  drill_unfinished: { exit: 5, when: 'a drill could not be brought to a verdict' },
  issuers_invalid: { exit: 2, when: 'the issuers file can not be read or breaks a rule' },
  state_folder_closed: { exit: 4, when: 'the account of Postgres can not enter the state folder' },
  ports_exhausted: { exit: 7, when: 'there are no free ports in a row' },
  postgres_missing: { exit: 7, when: 'there is no Postgres server >= 15 on this machine' },
  etcd_missing: { exit: 7, when: 'there is no etcd server on this machine' },
} as const satisfies Record<string, CatalogEntry>;

export type ErrorCode = keyof typeof catalog;

/** Every error code of the command line with its exit status. Codes are stable: scripts branch on them. */
export const ERROR_CATALOG: Readonly<Record<ErrorCode, CatalogEntry>> = catalog;

export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(catalog, value);

export const CONFIG_ERRORS: readonly ErrorCode[] = [
  'config_not_found',
  'config_unreadable',
  'config_invalid',
];

/** What every command can meet that reads the estate from etcd. */
export const ETCD_ERRORS: readonly ErrorCode[] = [
  ...CONFIG_ERRORS,
  'secret_missing',
  'estate_missing',
  'etcd_unreachable',
];

/** What a confirmation can end in. */
export const CONFIRM_ERRORS: readonly ErrorCode[] = [
  'confirmation_required',
  'confirmation_mismatch',
  'not_confirmed',
];

/** Why a failover is refused before anything changed. */
export const FAILOVER_REFUSALS: readonly ErrorCode[] = [
  'cluster_not_open',
  'operation_active',
  'cluster_degraded',
  'no_candidate',
  'too_few_voters',
  'target_not_candidate',
  'leader_healthy',
  'degraded_not_allowed',
  'region_of_leader',
  'region_without_member',
  'loss_over_budget',
  'plan_drifted',
];

/** Why a switchover is refused before anything changed. */
export const SWITCHOVER_REFUSALS: readonly ErrorCode[] = [
  'cluster_not_open',
  'operation_active',
  'leader_unhealthy',
  'cluster_degraded',
  'no_candidate',
  'target_not_candidate',
  'degraded_not_allowed',
  'pause_over_budget',
  'rpo_gate_on',
  'plan_drifted',
];

/** How a switchover can end with the leader that it had. */
export const SWITCHOVER_ENDINGS: readonly ErrorCode[] = ['switchover_not_begun', 'switchover_backed_out'];

/** How a run of an operation can end short of done. */
export const OPERATION_ERRORS: readonly ErrorCode[] = [
  'operation_superseded',
  'operation_unsettled',
  'operation_phase_unknown',
  'operation_interrupted',
  'operation_stopped',
  'operation_timed_out',
  'proof_incomplete',
  'freeze_incomplete',
  'loss_exceeds_plan',
  'in_sync_changed',
  'promotion_overdue',
  'promotion_changed',
  'prefix_differs',
  'settle_overdue',
  'authority_mismatch',
  'etcd_outcome_unknown',
];

/** Why a change of membership is refused before anything changed, and what it can wait for. */
export const MEMBERSHIP_ERRORS: readonly ErrorCode[] = [
  'cluster_not_open',
  'operation_active',
  'member_not_found',
  'member_leads',
  'member_not_learner',
  'member_region_differs',
  'role_not_in_region',
  'loss_unsalvaged',
  'last_voter',
  'last_voter_in_sync',
  'plan_drifted',
  'membership_overdue',
];

/** Why a rejoin is refused, and how one can stop short of done. */
export const REJOIN_ERRORS: readonly ErrorCode[] = [
  'cluster_not_found',
  'cluster_not_open',
  'member_not_found',
  'member_leads',
  'member_not_heard',
  'member_not_quarantined',
  'rejoin_active',
  'salvage_incomplete',
  'loss_not_signed_off',
  'rejoin_overdue',
];
