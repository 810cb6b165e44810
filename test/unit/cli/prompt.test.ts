import { describe, expect, test } from 'vitest';
import { confirmByName, confirmYes } from '../../../src/cli/prompt.ts';

const asked = { interactive: false, action: 'fail over c1' };

describe('a risky change without a terminal', () => {
  test('is not asked about: it fails and names the flag that is missing', async () => {
    await expect(confirmByName({ ...asked, name: 'c1', confirm: undefined })).rejects.toMatchObject({
      code: 'confirmation_required',
      exit: 2,
      data: { flag: '--confirm=c1' },
    });
  });

  test('goes on when --confirm names exactly what it hits', async () => {
    await expect(confirmByName({ ...asked, name: 'c1', confirm: 'c1' })).resolves.toBeUndefined();
  });

  test('is refused when --confirm names something else', async () => {
    await expect(confirmByName({ ...asked, name: 'c1', confirm: 'c2' })).rejects.toMatchObject({
      code: 'confirmation_mismatch',
      exit: 4,
    });
  });
});

test('a change of low risk needs --yes where nobody can be asked', async () => {
  await expect(confirmYes({ ...asked, yes: false })).rejects.toMatchObject({
    code: 'confirmation_required',
    data: { flag: '--yes' },
  });
  await expect(confirmYes({ ...asked, yes: true })).resolves.toBeUndefined();
});
