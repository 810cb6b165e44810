import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * Where Capstan keeps sandboxes: `CAPSTAN_STATE_DIR`; else /var/lib/capstan for root (a service account must be able to
 * enter it, and /root it can't), and the XDG state folder for anyone else.
 */
export function stateRoot(environment: NodeJS.ProcessEnv = process.env): string {
  const chosen = environment['CAPSTAN_STATE_DIR'];
  if (chosen !== undefined && chosen !== '') return resolve(chosen);
  if (process.getuid?.() === 0) return '/var/lib/capstan';
  const xdg = environment['XDG_STATE_HOME'];
  return join(xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.local', 'state'), 'capstan');
}

/** The folder that holds one folder a sandbox. */
export const sandboxesFolder = (environment?: NodeJS.ProcessEnv): string =>
  join(stateRoot(environment), 'sandboxes');

/** Held by whoever changes a sandbox; outside its folder, which `down` removes. */
export const sandboxLock = (name: string): string => join(sandboxesFolder(), `.${name}.lock`);

/** Every path of one sandbox. All of its processes work below `folder`, so that none can be lost. */
export class SandboxPaths {
  readonly name: string;
  readonly folder: string;

  constructor(name: string, environment?: NodeJS.ProcessEnv) {
    this.name = name;
    this.folder = join(sandboxesFolder(environment), name);
  }

  get state(): string {
    return join(this.folder, 'state.json');
  }
  get config(): string {
    return join(this.folder, 'capstan.yaml');
  }
  get contract(): string {
    return join(this.folder, 'contract.yaml');
  }
  get issuers(): string {
    return join(this.folder, 'issuers.csv');
  }
  get secrets(): string {
    return join(this.folder, 'secrets');
  }
  secret(name: string): string {
    return join(this.secrets, name);
  }
  /** Exists once the seed is complete. */
  get seeded(): string {
    return join(this.folder, 'seeded.json');
  }
  get logs(): string {
    return join(this.folder, 'logs');
  }
  log(process: string): string {
    return join(this.logs, `${process}.log`);
  }
  /** The working directory of a process, and of everything that it starts. */
  home(process: string): string {
    return join(this.folder, 'run', process);
  }
  data(process: string): string {
    return join(this.home(process), 'data');
  }
  /** The pid and start time of a process that Capstan started. */
  record(process: string): string {
    return join(this.folder, 'processes', `${process}.json`);
  }
}
