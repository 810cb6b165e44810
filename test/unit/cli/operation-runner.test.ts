import { expect, test } from 'vitest';
import { watchOperation, type Watching } from '../../../src/cli/operation-runner.ts';
import { refusedError } from '../../../src/domain/errors.ts';

const options = {
  subject: 'failover c1',
  timeoutMs: undefined,
  wait: true,
  noColor: true,
  interrupted: new AbortController().signal,
};
const fenced = ({ onProgress }: Watching) =>
  onProgress({
    operation: 'failover-1',
    step: 'fence',
    state: 'finished',
    detail: null,
    left: ['fence', 'freeze'],
    at: new Date().toISOString(),
  });

test('what stops an operation that exists is thrown with its id, its step and the way on', async () => {
  const stopped = watchOperation(options, async (watching) => {
    fenced(watching);
    throw new Error('the disk is full');
  });
  await expect(stopped).rejects.toMatchObject({
    code: 'operation_stopped',
    exit: 5,
    next: 'capstan operation resume failover-1',
    data: { operation: 'failover-1', step: 'fence' },
    message: expect.stringContaining('the disk is full') as string,
  });
});

test('an error that names the operation is thrown as it is, and so is one from before the fence', async () => {
  const own = refusedError('another one drives it', {
    code: 'operation_superseded',
    data: { operation: 'failover-1' },
  });
  await expect(
    watchOperation(options, async (watching) => {
      fenced(watching);
      throw own;
    }),
  ).rejects.toBe(own);
  const early = refusedError('not now', { code: 'leader_healthy' });
  await expect(watchOperation(options, () => Promise.reject(early))).rejects.toBe(early);
});
