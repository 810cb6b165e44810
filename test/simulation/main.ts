/** `npm run simulate`: parses, runs, prints. Ends with 1 at the first seed that breaks an invariant. */
import { parseArgs } from 'node:util';
import { PLANTS, type Planted } from './planted.ts';
import { runSeed, type SeedResult } from './run.ts';

const LAST_EVENTS = 60;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    plant: { type: 'string' },
    only: { type: 'string', multiple: true },
  },
});
const write = (text: string) => process.stdout.write(`${text}\n`);
const planted: Planted = PLANTS.find((plant) => plant === values.plant);
if (values.plant !== undefined && planted === undefined) {
  write(`there is no plant ${values.plant}; known: ${PLANTS.join(', ')}`);
  process.exit(2);
}

const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const totals = new Map<string, number>();
const began = performance.now();
let events = 0;
let broken: SeedResult | undefined;
let ran = 0;
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
for (let seed = first; seed < first + count && broken === undefined && !stop.signal.aborted; seed += 1) {
  const result = await runSeed({ seed, planted, keepTrace: values.trace, only: values.only });
  ran += 1;
  events += result.events;
  const { faults, ...counts } = result.counts;
  const happened = [
    ...Object.entries(counts),
    ...[...faults].map(([fault, n]) => [`fault: ${fault}`, n] as const),
  ];
  for (const [what, times] of happened) totals.set(what, (totals.get(what) ?? 0) + times);
  if (values.trace) for (const line of result.trace) write(line);
  if (result.violation !== undefined) broken = result;
  if (count === 1)
    write(
      `seed ${seed}: ${result.events} events, ${(result.simulatedMs / 1_000).toFixed(1)} s simulated, digest ${result.digest}`,
    );
}
const minutes = (performance.now() - began) / 60_000;
const busy = process.cpuUsage().user / 60e6;
write(
  `${ran} seeds from ${first}, ${Math.round(ran / minutes)} seeds a minute (${Math.round(ran / busy)} a minute of processor time), ${Math.round(events / ran)} events a seed`,
);
for (const [name, number] of totals) write(`  ${name}: ${number}`);
if (broken?.violation !== undefined) {
  const { seed, violation, trace } = broken;
  if (!values.trace) for (const line of trace.slice(-LAST_EVENTS)) write(`  ${line}`);
  write(`seed ${seed} breaks ${violation.invariant}: ${violation.message}`);
  write(
    `replay: npm run simulate -- --seed ${seed} --trace${planted === undefined ? '' : ` --plant ${planted}`}${(values.only ?? []).map((name) => ` --only '${name}'`).join('')}`,
  );
  process.exitCode = 1;
}
