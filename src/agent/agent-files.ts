import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ownedFolder, type OsAccount } from '../postgres/run-as.ts';

/** Where an agent keeps what must survive a replaced data directory: `<dataDir>.agent`, beside it. */
export interface AgentFiles {
  readonly dataDir: string;
  readonly folder: string;
  readonly memory: string;
  /** Of the one agent that may run. */
  readonly lock: string;
  readonly config: string;
  readonly hba: string;
  readonly ident: string;
  /** Whom a standby follows. */
  readonly upstream: string;
  readonly syncNames: string;
  readonly passwords: string;
  readonly log: string;
}

export function agentFiles(dataDir: string): AgentFiles {
  const folder = `${dataDir.replace(/\/+$/, '')}.agent`;
  const at = (name: string) => join(folder, name);
  return {
    dataDir,
    folder,
    memory: at('memory.json'),
    lock: at('agent.lock'),
    config: at('postgresql.conf'),
    hba: at('pg_hba.conf'),
    ident: at('pg_ident.conf'),
    upstream: at('upstream.conf'),
    syncNames: at('sync-names.conf'),
    passwords: at('passwords'),
    log: at('postgres.log'),
  };
}

/** Makes the agent's folder; Postgres's account owns it. The folder above is left as it is when it exists. */
export async function prepareFolder(files: AgentFiles, account: OsAccount | undefined): Promise<void> {
  await mkdir(dirname(files.folder), { recursive: true, mode: 0o755 });
  await ownedFolder(files.folder, account);
}
