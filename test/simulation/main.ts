/** `npm run simulate`: parses, runs, prints. Ends with 1 at the first seed that breaks an invariant. */
import { parseArgs } from 'node:util';
import { AREAS } from './area.ts';
import { PLANTS, type Planted } from './planted.ts';
import { runSeed, type SeedResult } from './run.ts';
import { parseStepFault, type StepFault, stepFaultText } from './step-faults.ts';
import { everyStep } from './steps.ts';
import type { WorldOptions } from './world-options.ts';

const LAST_EVENTS = 60;

const { values } = parseArgs({
  options: {
    area: { type: 'string', default: 'failover' },
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    steps: { type: 'boolean', default: false },
    at: { type: 'string' },
    trace: { type: 'boolean', default: false },
    plant: { type: 'string' },
    only: { type: 'string', multiple: true },
  },
});
const write = (text: string) => process.stdout.write(`${text}\n`);
function oneOf<T extends string>(known: readonly T[], asked: string | undefined): T | undefined {
  const found = known.find((one) => one === asked);
  if (asked === undefined || found !== undefined) return found;
  write(`there is no ${asked}; known: ${known.join(', ')}`);
  return process.exit(2);
}
const planted: Planted = oneOf(PLANTS, values.plant);
const area = oneOf(AREAS, values.area);
const at = values.at === undefined ? undefined : parseStepFault(values.at);

const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const totals = new Map<string, number>();
const began = performance.now();
let events = 0;
let broken: (SeedResult & { readonly at: StepFault | undefined }) | undefined;
let ran = 0;
let struck = 0;
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

function take(result: SeedResult, where: StepFault | undefined): void {
  ran += 1;
  if (result.struck) struck += 1;
  events += result.events;
  const { faults, ...counts } = result.counts;
  const happened = [
    ...Object.entries(counts),
    ...[...faults].map(([fault, n]) => [`fault: ${fault}`, n] as const),
  ];
  for (const [what, times] of happened) totals.set(what, (totals.get(what) ?? 0) + times);
  if (values.trace) for (const line of result.trace) write(line);
  if (result.violation !== undefined) broken = { ...result, at: where };
}

for (let seed = first; seed < first + count && broken === undefined && !stop.signal.aborted; seed += 1) {
  const common: WorldOptions = { seed, area, planted, keepTrace: values.trace, only: values.only };
  if (values.steps) {
    for await (const { result, fault } of everyStep(common)) {
      take(result, fault);
      if (broken !== undefined || stop.signal.aborted) break;
    }
    continue;
  }
  const result = await runSeed({ ...common, at });
  take(result, at);
  if (count === 1)
    write(
      `seed ${seed}: ${result.events} events, ${(result.simulatedMs / 1_000).toFixed(1)} s simulated, digest ${result.digest}`,
    );
}
const minutes = (performance.now() - began) / 60_000;
const busy = process.cpuUsage().user / 60e6;
const runs = values.steps ? `${ran} runs (${struck} struck) of ${count} seeds` : `${ran} seeds`;
write(
  `${values.area}: ${runs} from ${first}, ${Math.round(ran / minutes)} a minute (${Math.round(ran / busy)} a minute of processor time), ${Math.round(events / ran)} events each`,
);
for (const [name, number] of totals) write(`  ${name}: ${number}`);
if (broken?.violation !== undefined) {
  const { seed, violation, trace } = broken;
  if (!values.trace) for (const line of trace.slice(-LAST_EVENTS)) write(`  ${line}`);
  write(`seed ${seed} breaks ${violation.invariant}: ${violation.message}`);
  const more = [
    area === 'failover' ? '' : ` --area ${values.area}`,
    broken.at === undefined ? '' : ` --at ${stepFaultText(broken.at)}`,
    planted === undefined ? '' : ` --plant ${planted}`,
    ...(values.only ?? []).map((name) => ` --only '${name}'`),
  ];
  write(`replay: npm run simulate -- --seed ${seed} --trace${more.join('')}`);
  process.exitCode = 1;
}
