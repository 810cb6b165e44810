import { z } from 'zod';
import { changed, count, name, time, yes } from './common.ts';

export const init = z.strictObject({
  changed,
  dryRun: yes,
  estate: name,
  shardCount: count,
  contract: z.string().describe('The file that the budgets were read from.'),
  incarnation: z.string().nullable(),
  mapVersion: count.nullable(),
});

export const clusterCreate = z.strictObject({
  changed,
  cluster: name,
  homeRegion: name,
  bootstrapMember: name,
  epoch: count,
  members: z.array(z.strictObject({ name, region: name, role: z.enum(['voter', 'observer', 'learner']) })),
  createdAt: time,
});

export const agentRun = z.strictObject({ member: name, stopped: yes });
export const gatewayRun = z.strictObject({ gateway: name, stopped: yes });

export const gatewayKey = z.strictObject({
  changed,
  desk: z.string(),
  role: z.enum(['desk', 'operator', 'compliance']),
  key: z.string().describe('Shown this once; only its hash is stored.'),
  entry: z.strictObject({
    desk: z.string(),
    role: z.enum(['desk', 'operator', 'compliance']),
    sha256: z.string(),
  }),
  file: z.string().nullable().describe('The keys file that the entry was added to; null: add it yourself.'),
});

export type InitData = z.infer<typeof init>;
export type ClusterCreateData = z.infer<typeof clusterCreate>;
export type GatewayKeyData = z.infer<typeof gatewayKey>;
