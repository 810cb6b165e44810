import { formatOf, isOutputFormat } from './output-format.ts';
import type { ProcessStatus } from './exit-codes.ts';
import { failureOf } from './failure.ts';
import { MAP_ROUTE_KIND, routeResult } from './map-route.ts';
import { Output } from './output.ts';

/**
 * `capstan map route <issuer>` without the command framework, which takes as long to load as all the rest of it: scripts
 * call it once a request. Only the plain spelling is understood; for anything else the answer is undefined and the whole
 * command line takes over. The result, the errors and the exit statuses are the command's own.
 */
export async function quickCommand(argv: readonly string[]): Promise<ProcessStatus | undefined> {
  const [noun, verb, issuer, ...rest] = argv;
  if (noun !== 'map' || verb !== 'route' || issuer === undefined || issuer.startsWith('-')) return undefined;
  if (!isPlain(rest)) return undefined;
  const output = new Output({ format: formatOf(rest), noColor: false, debug: false });
  try {
    await output.result(await routeResult({ issuer, config: undefined }), 0);
    return 0;
  } catch (error) {
    const failure = failureOf(error);
    await output.failure(failure, { kind: MAP_ROUTE_KIND, status: failure.exit });
    return failure.exit;
  }
}

function isPlain(rest: readonly string[]): boolean {
  const [flag, value, ...more] = rest;
  if (flag === undefined || (flag === '--json' && value === undefined)) return true;
  return (flag === '-o' || flag === '--output') && isOutputFormat(value) && more.length === 0;
}
