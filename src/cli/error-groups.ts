import type { ErrorCode } from './error-catalog.ts';

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

/** Why a rebalance is refused before the first byte. */
export const REBALANCE_REFUSALS: readonly ErrorCode[] = [
  'cluster_not_found',
  'cluster_not_open',
  'operation_active',
  'member_changing',
  'leader_unhealthy',
  'cluster_degraded',
  'rpo_gate_on',
  'cluster_unreachable',
  'shard_missing',
  'shard_already_there',
  'shard_moving',
  'shard_pinned',
  'shards_over_limit',
  'region_differs',
  'no_target',
  'version_differs',
  'schema_differs',
  'replica_identity_missing',
  'wal_level_low',
  'slots_short',
  'walsenders_short',
  'workers_short',
  'disk_short',
];

/** How a comparison of both sides can end. */
export const COMPARE_ERRORS: readonly ErrorCode[] = [
  'postgres_unreachable',
  'member_unknown',
  'move_differs',
  'move_owner_behind',
  'move_positions_differ',
  'move_position_lost',
  'move_leg_over',
  'move_compare_late',
];

/** Why a goal of a rebalance is refused, and how it can end. */
export const MOVE_GOAL_ERRORS: readonly ErrorCode[] = [
  'rebalance_not_found',
  'rebalance_partial',
  'shard_not_moving',
  'shards_move_together',
  'plan_drifted',
  'operation_finished',
  'operation_past_no_return',
  'cluster_not_open',
  'operation_active',
  'leader_unhealthy',
  'cluster_degraded',
  'rpo_gate_on',
  'move_not_following',
  'move_paused',
  'move_leg_lost',
  'move_ending',
  'verification_missing',
  'verification_stale',
  'cutover_backed_out',
  ...COMPARE_ERRORS,
];

/** Why streams of a rebalance are not paused, or not let go on. */
export const PAUSE_ERRORS: readonly ErrorCode[] = [
  ...ETCD_ERRORS,
  'argument_invalid',
  'operation_not_found',
  'rebalance_not_found',
  'shard_not_moving',
  'shards_move_together',
  'move_not_pausable',
  'concurrent_change',
];

/** What every command can meet that reads the archive of the log. */
export const ARCHIVE_ERRORS: readonly ErrorCode[] = [
  'secret_missing',
  'archive_missing',
  'archive_ambiguous',
  'archive_empty',
  'archive_damaged',
  'archive_unreachable',
];
