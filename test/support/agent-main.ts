/** One agent as a process of its own, for tests that kill it: `node agent-main.ts <capstan.yaml> <member>`. */
import { enableCompileCache, flushCompileCache } from 'node:module';

// Before anything of the product is imported: without it each start would strip and compile all of its source anew.
enableCompileCache();
const { pino } = await import('pino');
const { runAgent } = await import('../../src/agent/agent.ts');
const { loadEstateConfig } = await import('../../src/config/estate-config.ts');
// It is kept at a graceful end only, and tests mostly kill.
flushCompileCache();

const [, , source = '', member = ''] = process.argv;
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());
const logger = pino({ level: 'debug', base: { member } }, pino.destination(2));
await runAgent({ config: await loadEstateConfig(source), member, signal: ending.signal, logger });
