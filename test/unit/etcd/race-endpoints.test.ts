import { expect, test } from 'vitest';
import { type Outcome, raceEndpoints } from '../../../src/etcd/race-endpoints.ts';

type Step = Outcome<boolean> | 'silent';

/** Each endpoint answers as told; `silent` ones answer `later` once the others are done, or never. */
function race(
  steps: readonly Step[],
  options: { staggerMs?: number | undefined; later?: Outcome<boolean>; timeoutMs?: number } = {},
) {
  const asked: number[] = [];
  const { later, timeoutMs = 200 } = options;
  const result = raceEndpoints<number, boolean>({
    endpoints: [...steps.keys()],
    timeoutMs,
    staggerMs: 'staggerMs' in options ? options.staggerMs : 20,
    settles: (value, othersInDoubt) => value || !othersInDoubt,
    run: async (index) => {
      asked.push(index);
      const step = steps[index];
      if (step !== undefined && step !== 'silent') return step;
      await new Promise((resolve) => setTimeout(resolve, later === undefined ? timeoutMs * 2 : 80).unref());
      return later ?? { kind: 'lost', error: new Error('late') };
    },
  });
  return result.then((value) => ({ value, asked }));
}

const yes: Outcome<boolean> = { kind: 'answer', value: true };
const no: Outcome<boolean> = { kind: 'answer', value: false };
const unsent: Outcome<boolean> = { kind: 'unsent', error: new Error('unsent') };
const lost: Outcome<boolean> = { kind: 'lost', error: new Error('lost') };

test('a refused connection is followed by the next endpoint, also where a second try could take effect twice', async () => {
  const { value } = await race([unsent, yes], { staggerMs: undefined });
  expect(value).toMatchObject({ kind: 'answer', value: true, endpoint: 1 });
});

test('where a second try could take effect twice, a lost or silent one is not followed', async () => {
  for (const step of [lost, 'silent'] as const) {
    const { value, asked } = await race([step, yes], { staggerMs: undefined });
    expect(value).toMatchObject({ kind: 'exhausted', inDoubt: true });
    expect(asked).toEqual([0]);
  }
});

test('a silent endpoint is followed by the next', async () => {
  const { value } = await race(['silent', yes]);
  expect(value).toMatchObject({ kind: 'answer', value: true, endpoint: 1 });
});

test('a failed compare is no answer while another attempt may have been carried out', async () => {
  expect((await race([lost, no])).value).toMatchObject({ kind: 'exhausted', inDoubt: true });
  expect((await race(['silent', no])).value).toMatchObject({ kind: 'exhausted', inDoubt: true });
  expect((await race([unsent, no])).value).toMatchObject({ kind: 'answer', value: false });
});

test('the late answer of a silent endpoint settles it', async () => {
  expect((await race(['silent', no], { later: yes })).value).toMatchObject({
    kind: 'answer',
    value: true,
    endpoint: 0,
  });
  expect((await race(['silent', no], { later: no })).value).toMatchObject({ kind: 'answer', value: false });
  expect((await race(['silent', no], { later: unsent })).value).toMatchObject({
    kind: 'answer',
    value: false,
  });
});

test('with no endpoint reached there is no doubt', async () => {
  expect((await race([unsent, unsent])).value).toMatchObject({ kind: 'exhausted', inDoubt: false });
});

test('a refusal ends the call, unless another attempt may have been carried out', async () => {
  const refused: Outcome<boolean> = { kind: 'refused', error: new Error('no') };
  expect((await race([refused, yes])).value).toMatchObject({ kind: 'refused' });
  expect((await race([lost, refused])).value).toMatchObject({ kind: 'exhausted', inDoubt: true });
});

test('an aborted call ends at once', async () => {
  const aborted = AbortSignal.abort(new Error('stop'));
  const result = await raceEndpoints({
    endpoints: [0],
    timeoutMs: 1_000,
    staggerMs: 10,
    signal: aborted,
    run: () => Promise.resolve(yes),
  });
  expect(result).toMatchObject({ kind: 'exhausted', inDoubt: false });
});
