import { messageOf } from '../domain/errors.ts';
import type { Check, Finding } from './types.ts';

const ANSWER_MS = 3_000;

/** Every gateway of the configuration says that it can serve every cluster. */
export const gatewaysReady: Check = {
  name: 'gateways-ready',
  claim: 'every gateway answers that it is ready',
  asks: 'each gateway’s /readyz',
  timeoutMs: 5_000,
  async run({ config, signal }) {
    const gateways = Object.entries(config.gateways);
    if (gateways.length === 0) {
      return [{ status: 'skipped', subject: 'gateways', message: 'the configuration names no gateway' }];
    }
    return Promise.all(gateways.map(([name, { url }]) => askGateway({ name, url, signal })));
  },
};

async function askGateway(options: {
  readonly name: string;
  readonly url: string;
  readonly signal: AbortSignal;
}): Promise<Finding> {
  const { name, url, signal } = options;
  const started = performance.now();
  const evidence = {
    subject: `gateway ${name}`,
    asked: url,
    budget: `200 within ${ANSWER_MS} ms`,
    sampleAgeMs: 0,
  };
  try {
    const answer = await fetch(new URL('/readyz', url), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
      redirect: 'error',
    });
    const body = (await answer.text()).slice(0, 2_000);
    const figure = `${answer.status} in ${Math.round(performance.now() - started)} ms`;
    if (answer.ok) return { ...evidence, figure, status: 'pass', message: 'it is ready' };
    return {
      ...evidence,
      figure,
      status: 'fail',
      message: `it is not ready: ${reasonOf(body)}`,
      next: `curl ${url}/readyz`,
    };
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

function reasonOf(body: string): string {
  try {
    const { reason, detail, title } = JSON.parse(body) as Record<string, unknown>;
    const found = [reason, detail, title].find((part) => typeof part === 'string' && part !== '');
    return typeof found === 'string' ? found : body;
  } catch {
    return body;
  }
}
