import { signalAll, waitForEnd } from '../../src/sandbox/daemon.ts';
import { type PlacedProcess, processesUnder } from '../../src/sandbox/process-table.ts';

const END_MS = 10_000;
const ROUND_MS = 1_000;

/**
 * kill -9 of everything that works in a folder, the heads of families first. The machine below lives on and refuses
 * connections, unlike one that loses power. Answers the monotonic
 * moment at which the signals were out; returns once nothing is left. Both products die by this very code.
 */
export async function killEverythingIn(folder: string): Promise<number> {
  const found = await processesUnder(folder);
  await signalAll(headsFirst(found), 'SIGKILL');
  const diedAt = performance.now();
  const deadline = diedAt + END_MS;
  // What was being forked while its family was killed is killed too.
  for (let left = found; left.length > 0; left = await processesUnder(folder)) {
    if (performance.now() > deadline) throw new Error(`${left.length} processes in ${folder} do not end`);
    await signalAll(left, 'SIGKILL');
    await waitForEnd(left, ROUND_MS);
  }
  return diedAt;
}

function headsFirst(family: readonly PlacedProcess[]): PlacedProcess[] {
  const isHead = ({ parent }: PlacedProcess) => !family.some(({ pid }) => pid === parent);
  return [...family.filter(isHead), ...family.filter((one) => !isHead(one))];
}
