import { expect, test } from 'vitest';
import { rpoSections } from '../../../src/cli/present/rpo.ts';
import { createStyle } from '../../../src/cli/render/style.ts';
import { renderSections } from '../../../src/cli/render/table.ts';
import type { ClusterRpo } from '../../../src/cli/schemas/rpo.ts';

const near: ClusterRpo = {
  cluster: 'c1',
  claim: 'advertised',
  reason: null,
  lagMs: 240,
  budgetMs: 5_000,
  gateMs: 3_000,
  releaseMs: 1_000,
  validUntil: '2026-01-01T12:00:04.760Z',
  validForMs: 4_760,
  action: 'throttle',
  decisionsPerSecond: 50,
  acts: false,
  changedAt: '2026-01-01T11:59:00.000Z',
  changedForMs: 60_000,
  changedBecause: 'the remote follower is 240 ms behind, and decisions are bounded',
};
const behind: ClusterRpo = {
  ...near,
  cluster: 'harbor-point-east',
  claim: 'withdrawn',
  reason: 'the remote follower is behind the gate',
  lagMs: 3_930_000,
  validUntil: null,
  validForMs: null,
  acts: true,
  changedForMs: 3_930_000,
  changedBecause: 'the remote follower is behind the gate',
};
const silent: ClusterRpo = {
  ...behind,
  claim: 'unknown',
  reason: 'no agent says anything of it now',
  lagMs: null,
  action: 'close',
  changedAt: null,
  changedForMs: null,
  changedBecause: null,
};
const render = (clusters: ClusterRpo[], columns: number | undefined) =>
  renderSections(rpoSections({ clusters, at: '2026-01-01T12:00:00.000Z' }), {
    wide: false,
    columns,
    style: createStyle(false),
  });

test('the table of rpo show fits 80 columns, whatever the figures', async () => {
  const rows = (await render([near, behind, silent], 80)).split('\n').slice(0, 4);
  expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(80);
  expect(rows[3]).toMatch(/unknown +3\.0 s +5\.0 s +unknown +- +close +yes/);
});

test('each cluster’s last change is told with its reason, and what the gate does since', async () => {
  const output = await render([near, behind, silent], undefined);
  expect(output).toContain(
    'c1: advertised since 2026-01-01T11:59:00.000Z: the remote follower is 240 ms behind',
  );
  expect(output).toMatch(/harbor-point-east: withdrawn .*each gateway lets 50 decisions a second pass/);
  expect(output).toMatch(/unknown: no agent says anything of it now; decisions are refused/);
});
