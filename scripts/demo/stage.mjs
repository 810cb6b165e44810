// What the demonstration is played on: runs the real command line and real HTTP requests, prints each with its real
// output, and keeps count of the promises that were checked.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const SANDBOX = 'demo';
const root = resolve(fileURLToPath(import.meta.url), '..', '..', '..');
const built = existsSync(join(root, 'dist', 'cli', 'main.js'));
const program = join(root, 'bin', built ? 'run.js' : 'dev.js');
const colors = process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const paint = (code, text) => (colors ? `\u001B[${code}m${text}\u001B[0m` : text);

/** @type {{ kept: boolean, promise: string }[]} */
const promises = [];
/** Set once the sandbox is up; every later command works on it and on nothing else. */
const environment = { ...process.env, CAPSTAN_SANDBOX: SANDBOX };
delete environment.CAPSTAN_CONFIG;
delete environment.CAPSTAN_REGION;
let chapters = 0;

export const useConfig = (path) => {
  environment.CAPSTAN_CONFIG = path;
};

export function chapter(title) {
  chapters += 1;
  process.stdout.write(`\n${paint('1;36', `${chapters}. ${title}`)}\n`);
}

export function say(text) {
  process.stdout.write(`${paint('2', `   ${text}`)}\n`);
}

/** Runs the command line as a person would; its output goes to the screen as it comes. */
export async function run(...args) {
  process.stdout.write(`${paint('1', `$ capstan ${args.join(' ')}`)}\n`);
  return execute(args, { echo: true });
}

/** Runs it with `-o json`, unseen: for the demonstration's own checks. */
export async function ask(...args) {
  const { status, stdout } = await execute([...args, '-o', 'json'], { echo: false });
  return { status, ...JSON.parse(stdout) };
}

function execute(args, { echo }) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [program, ...args], {
      env: environment,
      stdio: ['ignore', 'pipe', echo ? 'inherit' : 'ignore'],
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
      if (echo) process.stdout.write(text);
    });
    child.once('error', fail);
    child.once('close', (status) => done({ status, stdout }));
  });
}

/** One request to a gateway, printed with its answer; the key stays out of sight. */
export async function request({ via, url, key, method = 'GET', path, body, quiet = false }) {
  const order = `${method} ${via}${path}${body ? ` ${JSON.stringify(body)}` : ''}`;
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    body: body ? JSON.stringify(body) : undefined,
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!quiet) {
    process.stdout.write(`${paint('1', `> ${order}`)}\n`);
    showAnswer(response.status, text);
  }
  return { status: response.status, body: JSON.parse(text), headers: response.headers };
}

export function showAnswer(status, text) {
  const tone = status < 300 ? '32' : '33';
  process.stdout.write(`${paint(tone, `< ${status}`)} ${text.trim()}\n`);
}

export const showOrder = (text) => process.stdout.write(`${paint('1', `> ${text}`)}\n`);

/** A promise of the project, looked at rather than believed. */
export function promise(text, kept) {
  promises.push({ promise: text, kept: Boolean(kept) });
  process.stdout.write(`${kept ? paint('32', '   kept:') : paint('1;31', '   BROKEN:')} ${text}\n`);
}

/** Waits until `look` answers something; undefined at the deadline. */
export async function until(look, timeoutMs = 30_000) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found || performance.now() > deadline) return found || undefined;
    await new Promise((next) => {
      setTimeout(next, 200);
    });
  }
}

/** Prints the count and returns the exit status. */
export function verdict() {
  const broken = promises.filter(({ kept }) => !kept);
  process.stdout.write(
    `\n${paint(broken.length === 0 ? '1;32' : '1;31', `${promises.length - broken.length} promises kept, ${broken.length} broken`)}\n`,
  );
  for (const { promise: text } of broken) process.stdout.write(`  broken: ${text}\n`);
  return broken.length === 0 ? 0 : 1;
}
