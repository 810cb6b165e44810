import { describe, expect, test } from 'vitest';
import { decideStep, type MoveStep, type StreamSight } from '../../../src/agent/moves/decide-step.ts';
import type { MoveFacts, SlotFacts, SubscriptionFacts } from '../../../src/agent/moves/move-facts.ts';
import type { MovePhase, MoveRecord, MoveReport } from '../../../src/domain/move-records.ts';

const PREFIX = 'capstan_t_1_';
/** Leg 0 goes from c1 (term 3) to c2 (term 5); the way back will be leg 1. */
const LEG = `${PREFIX}a2_l0_t5`;
const WAY_BACK = `${PREFIX}a2_l1_t3`;

const record = (phase: MovePhase, over: Partial<MoveRecord> = {}): MoveRecord => ({
  operation: 'rebalance-t',
  stream: 1,
  shards: [1, 2],
  from: 'c1',
  to: 'c2',
  owner: 'c1',
  phase,
  attempt: 2,
  leg: 0,
  terms: { c1: 3, c2: 5 },
  paused: false,
  cursor: null,
  verification: null,
  differences: [],
  seal: phase === 'seal' ? { id: 's', at: '', budgetMs: 1_000 } : null,
  handover: null,
  error: null,
  since: '',
  updatedAt: '',
  ...over,
});

const slot = (name: string, over: Partial<SlotFacts> = {}): SlotFacts => ({
  name,
  state: 'made',
  activePid: null,
  confirmedLsn: '0/100',
  retainedBytes: '0',
  ...over,
});

const subscription = (name: string, over: Partial<SubscriptionFacts> = {}): SubscriptionFacts => ({
  name,
  enabled: true,
  applies: true,
  receivedLsn: '0/1',
  errors: 0,
  tables: { total: 6, ready: 6 },
  copying: [],
  ...over,
});

const facts = (over: Partial<MoveFacts> = {}): MoveFacts => ({
  subscriptions: [],
  publications: [],
  slots: [],
  copySlots: [],
  flushedLsn: '0/200',
  ...over,
});

const said = (over: object): MoveReport =>
  ({ role: 'owner', slot: 'made', turned: false, ...over }) as unknown as MoveReport;

const step = (over: Partial<StreamSight> & Pick<StreamSight, 'record' | 'cluster'>): MoveStep =>
  decideStep({
    term: over.cluster === 'c1' ? 3 : 5,
    facts: facts(),
    strangers: false,
    wiped: true,
    peer: undefined,
    held: null,
    sealed: false,
    ...over,
  });

const sending = facts({ publications: [LEG], slots: [slot(LEG)] });
const receiving = facts({
  subscriptions: [subscription(LEG)],
  publications: [WAY_BACK],
  slots: [slot(WAY_BACK)],
});

describe('what isn’t wanted', () => {
  test('goes before anything else, subscriptions first', () => {
    const found = facts({
      subscriptions: [subscription(`${PREFIX}a1_l0_t5`)],
      publications: [`${PREFIX}a1_l1_t3`],
      slots: [slot(`${PREFIX}a1_l1_t3`)],
    });
    const about = { record: record('copy'), cluster: 'c2', wiped: false };
    expect(step({ ...about, facts: found })).toMatchObject({ kind: 'detach' });
    expect(step({ ...about, facts: { ...found, subscriptions: [] } })).toMatchObject({ kind: 'drop-slots' });
    expect(step({ ...about, facts: { ...found, subscriptions: [], slots: [] } })).toMatchObject({
      kind: 'drop-publications',
    });
  });

  test('is everything, for a leader of another term than the leg was made under', () => {
    expect(step({ record: record('follow'), cluster: 'c2', term: 6, facts: receiving })).toEqual({
      kind: 'detach',
      names: [LEG],
    });
    expect(step({ record: record('copy'), cluster: 'c2', term: 6, wiped: false })).toEqual({ kind: 'rest' });
  });

  test('is everything in queued, parted, clean and done', () => {
    for (const phase of ['queued', 'parted', 'clean', 'done'] as const) {
      expect(step({ record: record(phase), cluster: 'c1', facts: sending }).kind).toBe('drop-slots');
      expect(step({ record: record(phase), cluster: 'c2', facts: receiving }).kind).toBe('detach');
    }
  });
});

describe('the owner', () => {
  const own = { cluster: 'c1' };
  test('makes the publication before the slot: a slot sees only what was there before it', () => {
    expect(step({ ...own, record: record('copy') })).toEqual({ kind: 'publish', name: LEG });
    const published = facts({ publications: [LEG] });
    expect(step({ ...own, record: record('copy'), facts: published })).toEqual({
      kind: 'make-slot',
      name: LEG,
    });
  });

  test('gives a leg up whose slot is lost, or gone after somebody subscribed to it', () => {
    const subscribed = said({ role: 'other', tables: { total: 6, ready: 0 } });
    const published = facts({ publications: [LEG] });
    expect(step({ ...own, record: record('copy'), facts: published, peer: subscribed }).kind).toBe('lost');
    const lost = facts({ publications: [LEG], slots: [slot(LEG, { state: 'lost' })] });
    for (const phase of ['copy', 'follow', 'seal', 'turn'] as const)
      expect(step({ ...own, record: record(phase), facts: lost }).kind).toBe('lost');
    for (const phase of ['follow', 'seal', 'turn'] as const)
      expect(step({ ...own, record: record(phase), facts: published }).kind).toBe('lost');
  });

  test('seals once', () => {
    expect(step({ ...own, record: record('seal'), facts: sending })).toEqual({ kind: 'seal' });
    expect(step({ ...own, record: record('seal'), facts: sending, sealed: true })).toEqual({ kind: 'rest' });
  });

  test('moves the new leg’s slot past what was applied, after the old leg’s subscription has gone', () => {
    const turned = record('turn', {
      owner: 'c2',
      leg: 1,
      handover: { positions: {}, lsn: '0/180', pauseMs: null, at: '' },
    });
    const about = { record: turned, cluster: 'c2' };
    expect(step({ ...about, facts: receiving })).toEqual({ kind: 'detach', names: [LEG] });
    const detached = { ...receiving, subscriptions: [] };
    expect(step({ ...about, facts: detached })).toEqual({ kind: 'advance', name: WAY_BACK, lsn: '0/180' });
    const advanced = { ...detached, slots: [slot(WAY_BACK, { confirmedLsn: '0/180' })] };
    expect(step({ ...about, facts: advanced })).toEqual({ kind: 'rest' });
  });
});

describe('the other one', () => {
  const its = { cluster: 'c2' };
  test('wipes before it subscribes, and not while a subscription that nobody wants may write', () => {
    const about = { ...its, record: record('copy'), wiped: false, peer: said({}) };
    expect(step({ ...about, strangers: true })).toEqual({ kind: 'rest' });
    expect(step(about)).toEqual({ kind: 'wipe' });
    expect(step({ ...about, wiped: true })).toEqual({ kind: 'subscribe', name: LEG, copy: true });
  });

  test('subscribes only to a slot that stands, and not while it is held back', () => {
    const about = { ...its, record: record('copy') };
    expect(step(about)).toEqual({ kind: 'rest' });
    expect(step({ ...about, peer: said({ slot: 'absent' }) })).toEqual({ kind: 'rest' });
    expect(step({ ...about, peer: said({ slot: 'lost' }) })).toEqual({ kind: 'rest' });
    expect(step({ ...about, peer: said({}), held: 'paused' })).toEqual({ kind: 'rest' });
  });

  test('after a flip subscribes without a copy, once the new owner has turned', () => {
    const about = { record: record('turn', { owner: 'c2', leg: 1 }), cluster: 'c1' };
    expect(step({ ...about, peer: said({ turned: false }) })).toEqual({ kind: 'rest' });
    expect(step({ ...about, peer: said({ turned: true }) })).toEqual({
      kind: 'subscribe',
      name: WAY_BACK,
      copy: false,
    });
  });

  test('never subscribes again in follow: what was applied is known to the subscription alone', () => {
    expect(step({ ...its, record: record('follow'), peer: said({}) })).toEqual({ kind: 'rest' });
  });

  test('makes the way back once every table is copied, and a lost one anew', () => {
    const copying = facts({ subscriptions: [subscription(LEG, { tables: { total: 6, ready: 5 } })] });
    expect(step({ ...its, record: record('copy'), facts: copying })).toEqual({ kind: 'rest' });
    const copied = facts({ subscriptions: [subscription(LEG)] });
    expect(step({ ...its, record: record('copy'), facts: copied })).toEqual({
      kind: 'publish',
      name: WAY_BACK,
    });
    const lost = { ...receiving, slots: [slot(WAY_BACK, { state: 'lost' })] };
    expect(step({ ...its, record: record('follow'), facts: lost })).toEqual({
      kind: 'drop-slots',
      names: [WAY_BACK],
    });
    expect(step({ ...its, record: record('follow'), facts: receiving })).toEqual({ kind: 'rest' });
  });

  test('applies nothing while it is held back, but in a seal', () => {
    const about = { ...its, facts: receiving, held: 'paused' };
    expect(step({ ...about, record: record('follow') })).toEqual({ kind: 'apply', name: LEG, on: false });
    expect(step({ ...about, record: record('seal') })).toEqual({ kind: 'rest' });
    const off = { ...receiving, subscriptions: [subscription(LEG, { enabled: false })] };
    expect(step({ ...its, facts: off, record: record('follow') })).toEqual({
      kind: 'apply',
      name: LEG,
      on: true,
    });
  });

  test('wipes in clean once nothing of the stream is left', () => {
    const about = { ...its, record: record('clean'), wiped: false };
    expect(step({ ...about, facts: receiving }).kind).toBe('detach');
    expect(step(about)).toEqual({ kind: 'wipe' });
    expect(step({ ...about, cluster: 'c1' })).toEqual({ kind: 'rest' });
  });
});
