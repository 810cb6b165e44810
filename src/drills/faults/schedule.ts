import { usageError } from '../../domain/errors.ts';
import { Random } from '../random.ts';
import { FAULTS } from './registry.ts';
import type { Fault, PlannedFault } from './types.ts';

/** Left after the last window, so that what it broke is seen to come back under load. */
const ROOM_MIN_MS = 1_000;
const ROOM_SHARE = 0.1;
/** Before the first: something has been decided by then. */
const LEAD_MS = 500;
const STREAM = 7;

/**
 * One window for each named fault, drawn from the seed, its name and its place among equal names alone: another fault in
 * the list changes nothing. In order of time. Throws CapstanError `fault_unknown` and `drill_too_short` (exit 2).
 */
export function planFaults(options: {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly durationMs: number;
}): readonly PlannedFault[] {
  const { seed, faults, durationMs } = options;
  const known = faults.map(faultNamed);
  const end = durationMs - Math.max(ROOM_MIN_MS, Math.ceil(durationMs * ROOM_SHARE));
  const longest = Math.max(0, ...known.map(({ holdMs }) => holdMs.min));
  if (known.length > 0 && end - LEAD_MS < longest) throw tooShort(known, longest);
  return known
    .map((fault, index) => {
      const nth = faults.slice(0, index).filter((name) => name === fault.name).length;
      return windowOf({ fault, random: new Random(seed, streamOf(fault.name, nth)), end });
    })
    .toSorted((a, b) => a.atMs - b.atMs || (a.fault < b.fault ? -1 : 1));
}

/** In a round as little time as its fault needs, and a little more. */
const ROUND_SPREAD_MS = 1_500;
const IN_TURN_STREAM = 8;

/**
 * So many rounds of faults that follow one another, drawn from the seed and the list alone: none comes again before each has
 * been there. `atMs` counts from the end of the round before. Throws CapstanError `fault_unknown` (exit 2).
 */
export function planRounds(options: {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly rounds: number;
}): readonly PlannedFault[] {
  const { seed, faults, rounds } = options;
  const known = faults.map(faultNamed);
  const random = new Random(seed, IN_TURN_STREAM);
  let bag: Fault[] = [];
  return Array.from({ length: rounds }).flatMap(() => {
    if (bag.length === 0) bag = [...known];
    const [drawn] = bag.splice(random.whole(0, bag.length - 1), 1);
    if (drawn === undefined) return [];
    const { name, holdMs } = drawn;
    const spread = Math.min(ROUND_SPREAD_MS, holdMs.max - holdMs.min);
    return {
      fault: name,
      atMs: random.whole(LEAD_MS, ROOM_MIN_MS),
      holdMs: holdMs.min + random.whole(0, spread),
      draw: random.next(),
    };
  });
}

function windowOf(about: {
  readonly fault: Fault;
  readonly random: Random;
  readonly end: number;
}): PlannedFault {
  const { fault, random, end } = about;
  const { min, max } = fault.holdMs;
  const holdMs = random.whole(min, Math.min(max, end - LEAD_MS));
  return { fault: fault.name, atMs: random.whole(LEAD_MS, end - holdMs), holdMs, draw: random.next() };
}

function faultNamed(name: string): Fault {
  const fault = FAULTS.get(name);
  if (fault !== undefined) return fault;
  throw usageError(`there is no fault ${JSON.stringify(name)}`, {
    code: 'fault_unknown',
    next: `faults: ${[...FAULTS.keys()].join(', ')}`,
    data: { faults: [...FAULTS.keys()] },
  });
}

function tooShort(known: readonly Fault[], longest: number): Error {
  const { name } = known.find(({ holdMs }) => holdMs.min === longest) ?? { name: '' };
  // Either bound of the room may be the one that counts.
  const leastMs = Math.max(
    longest + LEAD_MS + ROOM_MIN_MS,
    Math.ceil((longest + LEAD_MS + 1) / (1 - ROOM_SHARE)),
  );
  return usageError(`${name} lasts ${longest} ms at least: the drill is too short for it`, {
    code: 'drill_too_short',
    next: `give it ${leastMs} ms or more`,
    data: { leastMs },
  });
}

/** FNV-1a over the name, so that the streams of different faults are unlike. */
function streamOf(name: string, nth: number): number {
  let hash = 0x811c9dc5;
  for (const character of `${STREAM} ${nth} ${name}`)
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash;
}
