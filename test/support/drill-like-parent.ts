/** A process that does to a sandbox what a drill does, and waits to be killed: `node drill-like-parent.ts <sandbox> <fault>`. */
import { setTimeout as delay } from 'node:timers/promises';
import { startGuard } from '../../src/drills/faults/guard.ts';
import { FAULTS } from '../../src/drills/faults/registry.ts';
import { faultGround } from './fault-ground.ts';

const [name = '', fault = ''] = process.argv.slice(2);
const ground = await faultGround(name);
const guard = await startGuard(ground);
const force = await FAULTS.get(fault)?.inject(ground, { fault, atMs: 0, holdMs: 60_000, draw: 0.5 });
process.stdout.write(`${JSON.stringify({ guard: guard.pid, target: force?.target })}\n`);
await delay(120_000);
