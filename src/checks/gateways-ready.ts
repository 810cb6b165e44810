import { z } from 'zod';
import { messageOf } from '../domain/errors.ts';
import type { Check, Finding } from './types.ts';

const ANSWER_MS = 3_000;
const SHOWN_MAX = 200;

/** What of a gateway's answer is judged; it may say more. */
const answerSchema = z.object({
  ready: z.boolean(),
  reason: z.string().nullable(),
  clusters: z.array(
    z.object({
      cluster: z.string(),
      promises: z.object({ decisions: z.object({ kept: z.boolean(), reason: z.string().nullable() }) }),
    }),
  ),
});

/** Every gateway of the configuration says that it can have decisions made in every cluster of the estate. */
export const gatewaysReady: Check = {
  name: 'gateways-ready',
  claim: 'every gateway answers that it is ready, for every cluster',
  asks: 'each gateway’s /readyz',
  timeoutMs: 5_000,
  async run({ config, snapshot, signal }) {
    const gateways = Object.entries(config.gateways);
    if (gateways.length === 0) {
      return [{ status: 'skipped', subject: 'gateways', message: 'the configuration names no gateway' }];
    }
    const clusters = [...(await snapshot()).estate.clusters.keys()];
    return Promise.all(gateways.map(([name, { url }]) => askGateway({ name, url, clusters, signal })));
  },
};

async function askGateway(options: {
  readonly name: string;
  readonly url: string;
  readonly clusters: readonly string[];
  readonly signal: AbortSignal;
}): Promise<Finding> {
  const { name, url, clusters, signal } = options;
  const started = performance.now();
  const evidence = {
    subject: `gateway ${name}`,
    asked: url,
    budget: `ready for ${clusters.join(', ') || 'no cluster'} within ${ANSWER_MS} ms`,
    sampleAgeMs: 0,
  };
  try {
    const answer = await fetch(new URL('/readyz', url), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
      redirect: 'error',
    });
    const body = await answer.text();
    const figure = `${answer.status} in ${Math.round(performance.now() - started)} ms`;
    return { ...evidence, figure, ...judge(body, clusters, `curl ${url}/readyz`) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const refused = (cause as { code?: unknown }).code === 'ECONNREFUSED';
    return {
      ...evidence,
      status: refused ? 'fail' : 'unknown',
      message: refused ? 'nothing listens there' : `no answer: ${messageOf(cause)}`,
    };
  }
}

function judge(
  body: string,
  clusters: readonly string[],
  next: string,
): Pick<Finding, 'status' | 'message' | 'next'> {
  const answer = answerSchema.safeParse(jsonOf(body)).data;
  if (answer === undefined) {
    return { status: 'unknown', message: `that is no gateway’s answer: ${body.slice(0, SHOWN_MAX)}`, next };
  }
  if (!answer.ready) return { status: 'fail', message: `it is not ready: ${answer.reason ?? ''}`, next };
  const missing = clusters.flatMap((cluster) => {
    const decisions = answer.clusters.find((entry) => entry.cluster === cluster)?.promises.decisions;
    if (decisions?.kept === true) return [];
    return [`${cluster}: ${decisions?.reason ?? 'it does not know this cluster'}`];
  });
  if (missing.length > 0) {
    return { status: 'fail', message: `it is not ready for ${missing.join('; ')}`, next };
  }
  return { status: 'pass', message: 'it is ready' };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
