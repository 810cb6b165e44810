import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BoundReads, readWhatIsWritten } from '../support/bound-reads.ts';
import { openDesks } from '../support/desk-client.ts';
import { failOver, must } from '../support/fail-over.ts';
import { History } from '../support/history.ts';
import { report, sized } from '../support/proof.ts';
import { clusterState, freshIssuers } from '../support/read-back.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

const READS = sized({ full: 1_000_000, quick: 1_500 });
const READERS = sized({ full: 16, quick: 4 });
const READS_PER_WRITE = sized({ full: 20, quick: 6 });
const TIMEOUT_MS = sized({ full: 4 * 3_600_000, quick: 240_000 });
const WARM_MS = 3_000;

let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox?.down());

test(
  'every read that is bound to a commit token reflects it or is refused, in both regions, with a failover in the middle',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const desks = openDesks(sandbox, new History());
    const reads: BoundReads = { shown: 0, byFollower: 0, refused: 0, unanswered: 0, violations: [] };
    const stopping = new AbortController();
    try {
      const issuers = await freshIssuers(desks, { cluster: 'c1', count: 4, limit: '900000', prefix: 'near' });
      const readers = Array.from({ length: READERS }, (_, index) =>
        readWhatIsWritten({
          sandbox,
          issuers,
          name: `near-${index}`,
          readsPerWrite: READS_PER_WRITE,
          readsMax: READS,
          until: stopping.signal,
          into: reads,
        }),
      );
      await delay(WARM_MS);
      const { leader } = await clusterState(sandbox, 'c1');
      await must(sandbox, 'sandbox', 'kill', String(leader));
      const { oldTerm, term } = await failOver(sandbox, 'c1').catch(async () => {
        // Its agents may have been first.
        const { term: after } = await clusterState(sandbox, 'c1');
        return { oldTerm: 1, term: Number(after) };
      });
      expect(term).toBeGreaterThan(oldTerm);
      await Promise.all(readers);
      expect(reads.violations).toEqual([]);
      expect(reads.byFollower).toBeGreaterThan(0);
      const { shown, byFollower, refused, unanswered } = reads;
      report(
        context,
        `${shown} reads, ${byFollower} by followers, ${refused} refused, ${unanswered} unanswered, 0 violations`,
      );
    } finally {
      stopping.abort();
      await desks.close();
    }
  },
);
