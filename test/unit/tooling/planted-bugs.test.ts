import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { DRILLS } from '../../../src/drills/catalogue.ts';
import { FAULTS } from '../../../src/drills/faults/registry.ts';
import { PLANTED_BUGS } from '../../support/planted-bugs.ts';
import { misfitOf, patchFile } from '../../support/scratch-build.ts';

test.for(PLANTED_BUGS.map(({ patch }) => patch))('the planted bug %s still fits the code', async (patch) => {
  expect(await misfitOf(patch)).toBeUndefined();
});

test('each patch is a planted bug, and each names a drill and faults that exist', () => {
  const files = readdirSync(dirname(patchFile('')));
  expect(files.toSorted()).toEqual(PLANTED_BUGS.map(({ patch }) => `${patch}.patch`).toSorted());
  for (const { caughtBy } of PLANTED_BUGS) {
    if (caughtBy.kind !== 'drill') continue;
    expect(DRILLS.map(({ name }) => name)).toContain(caughtBy.drill);
    for (const fault of caughtBy.faults) expect([...FAULTS.keys()]).toContain(fault);
  }
});
