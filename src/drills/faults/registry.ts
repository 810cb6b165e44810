import { cancelCommit } from './cancel-commit.ts';
import { changeObserver, changeVoter } from './change-members.ts';
import { clockStep } from './clock-step.ts';
import { cutLeaderReplies } from './cut-leader-replies.ts';
import {
  cutLeaderEtcd,
  cutLeaderEtcdOneWay,
  cutLeaderFollower,
  cutLeaderFollowerOneWay,
} from './cut-leader.ts';
import { cutLinkOneWay } from './cut-link-one-way.ts';
import { cutLink } from './cut-link.ts';
import { dropReplies } from './drop-replies.ts';
import { etcdLeaderChange } from './etcd-leader.ts';
import { etcdQuorum } from './etcd-quorum.ts';
import { fenceAbort } from './fence-abort.ts';
import { fullDiskFailover } from './full-disk-failover.ts';
import { halfOpen } from './half-open.ts';
import { killAgent } from './kill-agent.ts';
import { killBackend } from './kill-backend.ts';
import { killCli } from './kill-cli.ts';
import { killEtcd } from './kill-etcd.ts';
import { killFollower } from './kill-follower.ts';
import { killGateway } from './kill-gateway.ts';
import { killLeaderAhead } from './kill-leader-ahead.ts';
import { killLeaderFailover } from './kill-leader-failover.ts';
import { killLeader } from './kill-leader.ts';
import { killPostgres } from './kill-postgres.ts';
import {
  moveAndCutLink,
  moveAndKillCli,
  moveAndKillLeader,
  movePausingEtcd,
  moveThereAndBack,
} from './move-shards.ts';
import { pauseAgent } from './pause-agent.ts';
import { pauseEtcd } from './pause-etcd.ts';
import { pauseFollower } from './pause-follower.ts';
import { pauseGateway } from './pause-gateway.ts';
import { pauseLeaderFailover } from './pause-leader-failover.ts';
import { pauseLeader } from './pause-leader.ts';
import { loseRegion, loseRegionLate } from './region-lost.ts';
import { slowLink } from './slow-link.ts';
import { staleGateway } from './stale-gateway.ts';
import { switchOverAndBack, switchOverBackedOut } from './switch-over.ts';
import type { Fault } from './types.ts';

const ALL: readonly Fault[] = [
  killLeader,
  killLeaderFailover,
  killLeaderAhead,
  pauseLeader,
  pauseLeaderFailover,
  fullDiskFailover,
  fenceAbort,
  killBackend,
  killPostgres,
  killFollower,
  pauseFollower,
  killAgent,
  pauseAgent,
  killGateway,
  pauseGateway,
  killEtcd,
  pauseEtcd,
  etcdLeaderChange,
  etcdQuorum,
  cutLink,
  cutLinkOneWay,
  slowLink,
  dropReplies,
  halfOpen,
  cutLeaderReplies,
  cancelCommit,
  clockStep,
  killCli,
  cutLeaderEtcd,
  cutLeaderEtcdOneWay,
  cutLeaderFollower,
  cutLeaderFollowerOneWay,
  switchOverAndBack,
  switchOverBackedOut,
  changeObserver,
  changeVoter,
  loseRegion,
  loseRegionLate,
  moveThereAndBack,
  moveAndKillLeader,
  moveAndKillCli,
  moveAndCutLink,
  movePausingEtcd,
  staleGateway,
];

/** Every fault by its name. */
export const FAULTS: ReadonlyMap<string, Fault> = new Map(ALL.map((fault) => [fault.name, fault]));
