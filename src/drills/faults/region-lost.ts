import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterView } from '../../controlplane/cluster-view.ts';
import { readProgress } from '../../controlplane/progress.ts';
import { claimOfCluster } from '../../controlplane/rpo-gate-standing.ts';
import { readContract } from '../../controlplane/store.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { CapstanError, ExitCode, unknownError } from '../../domain/errors.ts';
import { REGIONS } from '../../sandbox/topology.ts';
import { drawCluster, hasFollower, openClusterIn, readViews, withEstate } from './means/clusters.ts';
import { choose, diceOf } from './means/dice.ts';
import { bringHome, leadsAtHome } from './means/homecoming.ts';
import { inForce, orUndo } from './means/in-force.ts';
import { bothWays, disturb } from './means/links.ts';
import { NothingToInjectInto } from './means/nothing.ts';
import { failOverToRegion, type RegionalOutcome } from './means/regional.ts';
import { rejoinMembers } from './means/rejoin.ts';
import type { Fault, Ground, PlannedFault } from './types.ts';

const POLL_MS = 150;
const PROVED_WITHIN_MS = 20_000;
const FAILOVER_WITHIN_MS = 60_000;
const QUARANTINED_WITHIN_MS = 60_000;
const REJOIN_WITHIN_MS = 120_000;

/** From the cut of the link to that of the region: well inside the budget with the lease that follows, or past it alone. */
const LEAD_MAX_MS = 500;
const PAST_BUDGET_MS = { min: 500, max: 2_000 } as const;

const regionLost = (
  name: string,
  about: { readonly when: string; readonly holdMs: Fault['holdMs']; readonly pastBudget: boolean },
): Fault => ({
  name,
  summary: `the regions’ link is cut, ${about.when} a leader’s whole region; its cluster goes to the other one, later back`,
  holdMs: about.holdMs,
  inject: (ground, planned) => inject(ground, planned, about.pastBudget),
});

/** What the other region lacks is of less time than the budget: the failover needs nobody's word. */
export const loseRegion = regionLost('lose-region', {
  when: 'a moment later',
  holdMs: { min: 12_000, max: 15_000 },
  pastBudget: false,
});

/** What the other region lacks is of more time than the budget: refused, until somebody accepts the loss that is named. */
export const loseRegionLate = regionLost('lose-region-late', {
  when: 'past the RPO budget',
  holdMs: { min: 19_000, max: 22_000 },
  pastBudget: true,
});

async function inject(ground: Ground, planned: PlannedFault, pastBudget: boolean) {
  const dice = diceOf(planned);
  const { name, leader, term, plan } = await drawCluster(ground, planned, hasFollower);
  const { homeRegion: home } = plan;
  const others = REGIONS.filter((region) => region !== home);
  const other = others.find((region) => region !== 'witness');
  if (other === undefined || !leadsAtHome((await readViews(ground)).get(name)))
    throw new NothingToInjectInto(`${name} is not led from its own region`);
  const budgetMs = await untilProved(ground, name);
  const cut = choose(dice, ['hold', 'lose'] as const);
  const leadMs = pastBudget
    ? budgetMs + dice.whole(PAST_BUDGET_MS.min, PAST_BUDGET_MS.max)
    : dice.whole(0, LEAD_MAX_MS);
  const releases: (() => Promise<void>)[] = [];
  const isolated = { kind: 'isolated', cluster: name, member: leader, term } as const;
  const release = async () => {
    if (releases.length > 1) ground.recorder.record({ ...isolated, phase: 'ended' });
    for (const undo of releases.splice(0).toReversed()) await undo();
  };
  const downAt = ground.recorder.now();
  return orUndo(async () => {
    releases.push(await disturb(ground, bothWays(home, other), { cut }));
    await delay(leadMs, undefined, { signal: ground.signal });
    const rest = others.filter((region) => region !== other);
    releases.push(
      await disturb(
        ground,
        rest.flatMap((region) => bothWays(home, region)),
        { cut },
      ),
    );
    ground.recorder.record({ ...isolated, phase: 'began' });
    const { signal } = ground;
    const order = { cluster: name, region: other, force: false, timeoutMs: FAILOVER_WITHIN_MS, signal };
    const there = await failOverToRegion(ground, order);
    const detail = {
      cluster: name,
      term,
      cut,
      lead_ms: leadMs,
      down_t: Math.round(downAt),
      operation: there.operation,
      successor: there.leader,
      new_term: there.term,
      refused: there.refused,
      exposure_ms: there.exposureMs,
      budget_ms: budgetMs,
      forecast: there.forecast,
      accepted: there.accepted,
      allowed: there.allowed,
      lost: null as number | null,
      home_operation: null as string | null,
      home_lost: null as number | null,
      told: toldOf(there, null),
    };
    return inForce(
      leader,
      detail,
      release,
      () => untilQuarantined(ground, name, leader),
      async () => {
        await rejoinMembers(ground, name, REJOIN_WITHIN_MS);
        detail.lost = await lostBy(ground, name, there.operation);
        detail.told = toldOf(there, detail.lost);
      },
      async () => {
        detail.home_operation = (await bringHome(ground, name))?.operation ?? detail.home_operation;
        await rejoinMembers(ground, name, REJOIN_WITHIN_MS);
        if (detail.home_operation !== null)
          detail.home_lost = await lostBy(ground, name, detail.home_operation);
      },
    );
  }, release);
}

/** For whoever reads the run. */
function toldOf(outcome: RegionalOutcome, lost: number | null): string {
  const { refused, accepted, forecast, exposureMs, allowed } = outcome;
  const risk = `forecast ${forecast ?? '?'} decisions of ${exposureMs === null ? '?' : formatDurationMs(exposureMs)}`;
  const word = refused ? `refused over the budget, run with ${accepted} accepted` : 'within the budget';
  return `${risk}: ${word}; lost ${lost ?? '?'} of ${allowed} allowed`;
}

/** A forecast rests on what the leader has published of its rate, and the budget counts while its claim is advertised. */
async function untilProved(ground: Ground, cluster: string): Promise<number> {
  const deadline = performance.now() + PROVED_WITHIN_MS;
  return withEstate(ground, async ({ etcd, keys }) => {
    const { rpo } = await readContract(etcd, keys);
    for (;;) {
      const view = (await readViews(ground)).get(cluster);
      const leader = view?.authority?.value.leader;
      const published = (await readProgress(etcd, keys, cluster)).get(leader ?? '');
      const isBusy = (published?.peak?.decisionsPerSecond ?? 0) > 0;
      if (view !== undefined && isBusy && claimOfCluster(view, Date.now()).claim === 'advertised')
        return rpo.budgetMs;
      if (ground.signal.aborted || performance.now() > deadline)
        throw new NothingToInjectInto(`${cluster} doesn’t prove its RPO claim under load`);
      await delay(POLL_MS);
    }
  });
}

/** The old leader must find by itself that its time is over. */
async function untilQuarantined(ground: Ground, cluster: string, member: string): Promise<void> {
  const deadline = performance.now() + QUARANTINED_WITHIN_MS;
  for (;;) {
    const view = await readViews(ground).then(
      (views) => views.get(cluster),
      () => undefined,
    );
    if (view !== undefined && hasGivenUp(view, member)) return;
    if (performance.now() > deadline) {
      throw unknownError(`${member} is back and is not quarantined`, {
        code: 'drill_heal_incomplete',
        next: `capstan cluster show ${cluster}`,
      });
    }
    await delay(POLL_MS);
  }
}

/** Once it has rejoined it follows: then it was quarantined before. */
const hasGivenUp = (view: ClusterView, member: string): boolean =>
  openClusterIn(view)?.leader !== member &&
  ['quarantined', 'following'].includes(view.heartbeats.get(member)?.value.state ?? '');

async function lostBy(ground: Ground, cluster: string, operation: string): Promise<number | null> {
  const record = (await readViews(ground)).get(cluster)?.losses.get(operation)?.value;
  if (record === undefined)
    throw new CapstanError(`no loss of ${operation} is recorded`, {
      code: 'drill_heal_incomplete',
      exit: ExitCode.unknown,
    });
  return record.lost;
}
