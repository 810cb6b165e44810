import { z } from 'zod';
import { changed, count, name, yes } from './common.ts';
import { operationDetail } from './operation.ts';

const rejoinPlan = z.strictObject({
  kind: z.literal('rejoin'),
  cluster: name,
  member: name,
  hash: z.string(),
  term: count,
  epoch: count,
  leader: name.nullable(),
  region: name.nullable(),
  role: z.enum(['voter', 'observer', 'learner']).nullable(),
  becomes: z.enum(['voter', 'observer']).nullable().describe('Once it has caught up.'),
  state: z.string().nullable(),
  incarnation: z.string().nullable().describe('Of the data that is salvaged, then rewound or replaced.'),
  method: z.enum(['rewind', 'reclone']),
  losses: z.array(z.string()).describe('Failovers whose loss is signed off before anything is rewound.'),
  done: yes.describe('It follows and counts already.'),
  refusals: z.array(z.strictObject({ code: z.string(), message: z.string(), next: z.string() })),
});

export const memberRejoin = z.strictObject({
  changed,
  dryRun: yes,
  plan: rejoinPlan,
  operation: operationDetail.nullable(),
});

export type MemberRejoinData = z.infer<typeof memberRejoin>;
