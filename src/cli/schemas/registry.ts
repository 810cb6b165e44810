import { z } from 'zod';
import { auditLog } from './audit.ts';
import { clusterAcknowledge, clusterList, clusterPause, clusterSummary, memberList } from './cluster.ts';
import { complianceSearch, issuerCorrect } from './compliance.ts';
import { clusterHistory } from './cluster-history.ts';
import { DRILL_SCHEMAS } from './drill.ts';
import { agentRun, clusterCreate, gatewayKey, gatewayRun, init } from './estate.ts';
import { failoverPlan, failoverRun } from './failover.ts';
import { historyVerdict } from './history.ts';
import { logArchive, logList, logReplay, logVerify } from './log.ts';
import { lossList, lossReplay, lossShow, lossSignOff } from './loss.ts';
import { mapDiff, mapHistory, mapRoute, mapShow, shardList, shardShow } from './map.ts';
import { MEMBERSHIP_SCHEMAS } from './membership.ts';
import { operationAbort, operationList, operationResume, operationShow } from './operation.ts';
import { PROJECTION_SCHEMAS } from './projection.ts';
import { checkList, readinessReport } from './readiness.ts';
import {
  rebalanceGoal,
  rebalancePause,
  rebalancePlan,
  rebalanceStart,
  rebalanceStatus,
  rebalanceSweep,
} from './rebalance.ts';
import { memberRejoin } from './rejoin.ts';
import { rpoShow } from './rpo.ts';
import { SANDBOX_SCHEMAS } from './sandbox.ts';
import { status } from './status.ts';
import { switchoverPlan, switchoverRun } from './switchover.ts';
import { commitToken, tokenResolution } from './token.ts';
import { completion, context, help, schemaDocument, schemaList } from './tooling.ts';

const envelopeError = z.strictObject({
  code: z.string().describe('Stable; finer than `exit`. docs/cli.md lists them.'),
  message: z.string(),
  exit: z.int(),
  retryable: z.boolean(),
  next: z.string().nullable(),
  data: z.unknown(),
  stack: z.string().nullable().describe('With --debug only.'),
});

/** What each kind's `data` looks like in success. In failure `data` may be null. */
export const DATA_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  AgentRun: agentRun,
  AuditLog: auditLog,
  ClusterAcknowledge: clusterAcknowledge,
  ClusterCreate: clusterCreate,
  ClusterHistory: clusterHistory,
  ClusterList: clusterList,
  ClusterPause: clusterPause,
  ClusterShow: clusterSummary,
  ClusterUnpause: clusterPause,
  CommitToken: commitToken,
  ComplianceSearch: complianceSearch,
  Completion: completion,
  Context: context,
  FailoverPlan: failoverPlan,
  FailoverRun: failoverRun,
  GatewayKey: gatewayKey,
  GatewayRun: gatewayRun,
  Help: help,
  HistoryVerdict: historyVerdict,
  Init: init,
  LogArchive: logArchive,
  LogList: logList,
  LogReplay: logReplay,
  LogVerify: logVerify,
  IssuerCorrect: issuerCorrect,
  LossList: lossList,
  LossReplay: lossReplay,
  LossShow: lossShow,
  LossSignOff: lossSignOff,
  MapDiff: mapDiff,
  MapHistory: mapHistory,
  MapRoute: mapRoute,
  MapShow: mapShow,
  MemberList: memberList,
  ...MEMBERSHIP_SCHEMAS,
  MemberRejoin: memberRejoin,
  OperationAbort: operationAbort,
  OperationList: operationList,
  OperationResume: operationResume,
  OperationShow: operationShow,
  ...PROJECTION_SCHEMAS,
  ReadinessCheckList: checkList,
  ReadinessReport: readinessReport,
  RebalancePlan: rebalancePlan,
  RebalanceStart: rebalanceStart,
  RebalanceStatus: rebalanceStatus,
  RebalancePause: rebalancePause,
  RebalanceUnpause: rebalancePause,
  RebalanceVerify: rebalanceGoal,
  RebalanceCutover: rebalanceGoal,
  RebalanceReverse: rebalanceGoal,
  RebalanceComplete: rebalanceGoal,
  RebalanceCancel: rebalanceGoal,
  RebalanceSweep: rebalanceSweep,
  RpoShow: rpoShow,
  Schema: schemaDocument,
  SchemaList: schemaList,
  ShardList: shardList,
  ShardShow: shardShow,
  Status: status,
  SwitchoverPlan: switchoverPlan,
  SwitchoverRun: switchoverRun,
  TokenResolution: tokenResolution,
  ...DRILL_SCHEMAS,
  ...SANDBOX_SCHEMAS,
};

/** The whole document of a kind: the envelope around its data. */
export function documentSchema(kind: string): z.ZodType | undefined {
  const data = DATA_SCHEMAS[kind];
  if (data === undefined) return undefined;
  return z.strictObject({
    apiVersion: z.literal('capstan.dev/v1'),
    kind: z.literal(kind),
    ok: z.boolean(),
    data: data.nullable(),
    warnings: z.array(z.string()),
    error: envelopeError.nullable(),
  });
}

/** The same as JSON Schema, draft 2020-12. */
export function jsonSchemaOf(kind: string): Record<string, unknown> | undefined {
  const schema = documentSchema(kind);
  return schema === undefined ? undefined : { title: kind, ...z.toJSONSchema(schema) };
}
