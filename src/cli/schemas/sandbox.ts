import { z } from 'zod';
import { changed, count, ms, name, time, yes } from './common.ts';

const link = z.strictObject({
  from: name,
  to: name,
  delayMs: ms,
  bytesPerSecond: z.number().nullable(),
  cut: z.enum(['hold', 'lose']).nullable(),
  connections: count,
  deliveredBytes: z.string(),
});
const links = z.strictObject({ changed, links: z.array(link) });

const processOutcome = z.strictObject({
  process: name,
  only: z.enum(['postgres', 'agent']).nullable(),
  changed,
  pids: z.array(count),
});

const processStatus = z.strictObject({
  name,
  kind: z.string(),
  region: name.nullable(),
  state: z.string(),
  pid: count.nullable(),
  since: time.nullable(),
  port: count.nullable().describe('Null: it listens nowhere.'),
  postgres: z.enum(['running', 'paused', 'stopped']).nullable(),
  memberState: z.string().nullable(),
});

/** The kinds of `capstan sandbox …`. */
export const SANDBOX_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  SandboxDown: z.strictObject({
    changed,
    sandboxes: z.array(z.strictObject({ name, changed, processesEnded: count, folderRemoved: yes })),
  }),
  SandboxEnv: z.strictObject({
    name,
    config: z.string(),
    etcdEndpoints: z.array(z.string()),
    gateways: z.array(z.strictObject({ region: name, url: z.string() })),
    keys: z.record(z.string(), z.string()),
    postgres: z.record(z.string(), z.record(z.string(), z.string())),
    projections: z.record(z.string(), z.string()).nullable().describe('By role; null: it keeps none.'),
  }),
  SandboxKill: processOutcome,
  SandboxLinkCut: links,
  SandboxLinkDelay: links,
  SandboxLinkHeal: links,
  SandboxLinkRun: z.strictObject({ name }),
  SandboxLinkShow: z.strictObject({ links: z.array(link) }),
  SandboxLinkSlow: links,
  SandboxList: z.strictObject({
    sandboxes: z.array(
      z.strictObject({
        name,
        running: count,
        total: count,
        createdAt: time.nullable(),
        config: z.string(),
      }),
    ),
  }),
  SandboxMemberAdd: z.strictObject({
    changed,
    member: name,
    cluster: name,
    region: name,
    started: z.array(name),
  }),
  SandboxPause: processOutcome,
  SandboxResume: processOutcome,
  SandboxStart: processOutcome,
  SandboxStatus: z.strictObject({
    name,
    folder: z.string(),
    createdAt: time,
    up: yes,
    processes: z.array(processStatus),
    disturbedLinks: z.array(link).nullable(),
  }),
  SandboxUp: z.strictObject({
    name,
    changed,
    created: yes,
    started: z.array(name),
    issuers: count,
    folder: z.string(),
    config: z.string(),
    ports: z.record(z.string(), count),
  }),
};
