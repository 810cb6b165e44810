import { describe, expect, test } from 'vitest';
import { AREAS } from '../../simulation/area.ts';
import { SimHost, SimProcess } from '../../simulation/process.ts';
import { Random } from '../../simulation/random.ts';
import { runSeed } from '../../simulation/run.ts';
import { Scheduler } from '../../simulation/scheduler.ts';

const LONG_MS = 60_000;

describe('a simulated world', () => {
  test(
    'is the same again from the same seed, event for event',
    async () => {
      for (const area of AREAS) {
        const first = await runSeed({ seed: 43, area, keepTrace: true });
        const second = await runSeed({ seed: 43, area, keepTrace: true });
        expect(first.trace.length).toBeGreaterThan(100);
        expect(second.trace).toEqual(first.trace);
        expect(second.digest).toBe(first.digest);
      }
    },
    LONG_MS,
  );

  test(
    'is another one from another seed',
    async () => {
      const one = await runSeed({ seed: 1 });
      const another = await runSeed({ seed: 2 });
      expect(another.digest).not.toBe(one.digest);
    },
    LONG_MS,
  );
});

function build() {
  const scheduler = new Scheduler(new Random(1));
  const host = new SimHost(scheduler, { name: 'h', rate: 1.5, wallOffsetMs: 0 });
  return { scheduler, host, process: new SimProcess(scheduler, host, 'p') };
}
const toTheEnd = (scheduler: Scheduler) => scheduler.run(10_000, () => false);

/** Notes when it wakes. */
async function nap(process: SimProcess, ms: number, wokenAt: number[]): Promise<void> {
  await process.clock.sleep(ms);
  wokenAt.push(process.scheduler.now);
}

describe('a simulated process', () => {
  test('sleeps by its own host’s clock', async () => {
    const { scheduler, process } = build();
    const wokenAt: number[] = [];
    void nap(process, 300, wokenAt);
    await toTheEnd(scheduler);
    expect(wokenAt).toEqual([200]);
  });

  test('finds after a pause that its clocks went on, and gets what waited', async () => {
    const { scheduler, process, host } = build();
    const heard: string[] = [];
    const bootBefore = host.bootMs();
    process.pause();
    scheduler.after(100, 'message', () => process.deliver('message', () => heard.push('message')));
    scheduler.after(1_000, 'resume', () => {
      expect(heard).toEqual([]);
      process.resume();
    });
    await toTheEnd(scheduler);
    expect(heard).toEqual(['message']);
    expect(host.bootMs() - bootBefore).toBeGreaterThanOrEqual(1_490);
  });

  test('does nothing any more once it is dead', async () => {
    const { scheduler, process } = build();
    const wokenAt: number[] = [];
    void nap(process, 10, wokenAt);
    process.kill();
    await toTheEnd(scheduler);
    expect(wokenAt).toEqual([]);
  });
});
