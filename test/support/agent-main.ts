/** One agent as a process of its own, for tests that kill it: `node agent-main.ts <capstan.yaml> <member>`. */
import { pino } from 'pino';
import { runAgent } from '../../src/agent/agent.ts';
import { loadEstateConfig } from '../../src/config/estate-config.ts';

const [, , source = '', member = ''] = process.argv;
const ending = new AbortController();
process.once('SIGTERM', () => ending.abort());
const logger = pino({ level: 'debug', base: { member } }, pino.destination(2));
await runAgent({ config: await loadEstateConfig(source), member, signal: ending.signal, logger });
