import { readFile } from 'node:fs/promises';
import { CapstanError, ExitCode, messageOf, unreachableError } from '../../domain/errors.ts';
import type { SandboxPaths } from '../folders.ts';
import { PortName, portOf, type SandboxState } from '../state.ts';
import type { LinkReport } from './link.ts';

const REQUEST_TIMEOUT_MS = 5_000;

export interface LinkPair {
  readonly from: string;
  readonly to: string;
}

/** The link process's control port, as its client. Each call returns the settings of every link after it. */
export class LinkClient {
  readonly #paths: SandboxPaths;
  readonly #url: string;

  constructor(paths: SandboxPaths, state: SandboxState) {
    this.#paths = paths;
    this.#url = `http://127.0.0.1:${portOf(state, PortName.linkControl)}/links`;
  }

  show(timeoutMs?: number): Promise<LinkReport[]> {
    return this.#ask(undefined, timeoutMs);
  }

  change(
    pairs: readonly LinkPair[],
    settings: Partial<Omit<LinkReport, keyof LinkPair>>,
  ): Promise<LinkReport[]> {
    return this.#ask({ action: 'change', changes: pairs.map((pair) => ({ ...pair, settings })) });
  }

  heal(pairs: readonly LinkPair[]): Promise<LinkReport[]> {
    return this.#ask({ action: 'heal', pairs });
  }

  /** Has the process open the routes to members that were added since it started. */
  openRoutes(): Promise<LinkReport[]> {
    return this.#ask({ action: 'open-routes' });
  }

  /** Throws CapstanError `link_unreachable` (exit 7), or what the link process refused. */
  async #ask(body: unknown, timeoutMs = REQUEST_TIMEOUT_MS): Promise<LinkReport[]> {
    let response: Response;
    let answer: { links?: LinkReport[]; code?: string; message?: string; next?: string };
    try {
      const token = (await readFile(this.#paths.secret('link'), 'utf8')).trim();
      response = await fetch(this.#url, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      answer = (await response.json()) as typeof answer;
    } catch (error) {
      throw unreachableError(`the link process can't be reached: ${messageOf(error)}`, {
        code: 'link_unreachable',
        next: `capstan sandbox start link --name ${this.#paths.name}`,
        cause: error,
      });
    }
    if (response.ok && answer.links !== undefined) return answer.links;
    throw new CapstanError(answer.message ?? `the link process answered ${response.status}`, {
      code: answer.code ?? 'link_refused',
      exit: ExitCode.usage,
      ...(answer.next === undefined ? {} : { next: answer.next }),
    });
  }
}
