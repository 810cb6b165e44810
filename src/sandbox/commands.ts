import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { assertNever } from '../domain/errors.ts';
import type { DaemonCommand } from './daemon.ts';
import { findEtcdProgram } from './etcd-program.ts';
import type { SandboxPaths } from './folders.ts';
import { projectionsCommand } from './projections-command.ts';
import { PortName, portOf, type SandboxState } from './state.ts';
import { ETCD_NODES, type EtcdNode, type Node } from './topology.ts';

/** How each process of the sandbox is started. */
export async function commandOf(
  paths: SandboxPaths,
  state: SandboxState,
  node: Node,
): Promise<DaemonCommand> {
  switch (node.kind) {
    case 'etcd':
      return {
        name: node.name,
        program: (await findEtcdProgram()).path,
        args: etcdArguments(paths, state, node),
        environment: withoutPrefix('ETCD_'),
      };
    case 'link':
      return capstan(paths, node.name, ['sandbox', 'link', 'run', '--name', paths.name]);
    case 'member':
      return capstan(paths, node.name, ['agent', 'run', node.name]);
    case 'projections':
      return projectionsCommand(paths, state);
    case 'projector':
      return capstan(paths, node.name, ['projector', 'run', node.region]);
    case 'gateway':
      return capstan(paths, node.name, ['gateway', 'run', node.region]);
    default:
      return assertNever(node);
  }
}

function capstan(paths: SandboxPaths, name: string, args: readonly string[]): DaemonCommand {
  return {
    name,
    program: process.execPath,
    args: [capstanProgram(), ...args, '--config', paths.config],
    environment: withoutPrefix('CAPSTAN_', ['CAPSTAN_STATE_DIR', 'CAPSTAN_TEST_RUN', 'CAPSTAN_TEST_ROOT']),
  };
}

/** bin/run.js of this very installation; from source without a build, bin/dev.js. */
export function capstanProgram(): string {
  const root = new URL('../../', import.meta.url);
  const fromSource = import.meta.url.endsWith('.ts');
  const built = existsSync(new URL('dist/cli/main.js', root));
  return fileURLToPath(new URL(fromSource || !built ? 'bin/dev.js' : 'bin/run.js', root));
}

/** A caller's settings for other estates must not leak into the sandbox's processes. */
function withoutPrefix(prefix: string, kept: readonly string[] = []): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !key.startsWith(prefix) || kept.includes(key)),
  );
}

function etcdArguments(paths: SandboxPaths, state: SandboxState, { name }: EtcdNode): string[] {
  const url = (port: string) => `http://127.0.0.1:${portOf(state, port)}`;
  const client = url(PortName.etcdClient(name));
  // Peers know each other by the link's port only, so that a cut between regions cuts them too.
  const peers = ETCD_NODES.map((node) => `${node.name}=${url(PortName.etcdPeerLink(node.name))}`);
  return [
    `--name=${name}`,
    `--data-dir=${paths.data(name)}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${url(PortName.etcdPeer(name))}`,
    `--initial-advertise-peer-urls=${url(PortName.etcdPeerLink(name))}`,
    `--initial-cluster=${peers.join(',')}`,
    `--initial-cluster-token=${paths.name}-${state.createdAt}`,
    '--initial-cluster-state=new',
    // A member that comes back from a partition must not end a good leader's term.
    '--pre-vote',
    '--auto-compaction-mode=periodic',
    '--auto-compaction-retention=10m',
    '--logger=zap',
    '--log-level=warn',
  ];
}
