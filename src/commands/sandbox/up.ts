import { boolean, string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { durationFlag } from '../../cli/flags.ts';
import { Progress } from '../../cli/progress.ts';
import { facts } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { chosenSandbox, sandboxFlag } from '../../cli/sandbox.ts';

const TIMEOUT_MS = 90_000;

export default class SandboxUp extends CapstanCommand<typeof SandboxUp> {
  static override summary = 'Start a whole estate on this machine: two regions, a witness, two clusters.';
  static override description =
    'Real processes on loopback: 3 etcd, 6 Postgres with their agents, 2 gateways, a Postgres for the projections with 2 projectors, and the links between the regions. What runs already stays as it is.';
  static override kind = 'SandboxUp';
  static override errors = [
    'sandbox_busy',
    'sandbox_exists',
    'sandbox_state_broken',
    'sandbox_process_failed',
    'sandbox_not_ready',
    'sandbox_spawn_failed',
    'sandbox_seed_failed',
    'issuers_invalid',
    'contract_unreadable',
    'contract_invalid',
    'state_folder_closed',
    'ports_exhausted',
    'postgres_missing',
    'etcd_missing',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --name drills --member-links',
    '<%= config.bin %> <%= command.id %> --name far --wan 20ms --issuers my-issuers.csv',
  ];
  static override flags = {
    name: sandboxFlag(),
    issuers: string({ summary: 'A CSV with the header issuer_id,limit.', helpValue: 'FILE' }),
    contract: string({ summary: 'Another contract than the shipped one.', helpValue: 'FILE' }),
    wan: durationFlag({ summary: 'The delay of each way between regions (default 0ms).' }),
    'member-links': boolean({
      summary:
        'Carry through the link too what each member says to etcd and to the members beside it, so that one alone can be cut off.',
    }),
    timeout: durationFlag({ summary: 'How long it may take (default 90s).' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const [{ sandboxUp, UP_STEPS }, { currentActor }] = await Promise.all([
      import('../../sandbox/up.ts'),
      import('../../controlplane/actor.ts'),
    ]);
    const { issuers, contract, wan, timeout } = this.flags;
    const name = chosenSandbox(this.flags.name);
    const progress = new Progress({
      subject: `sandbox ${name}`,
      steps: UP_STEPS,
      noColor: this.flags['no-color'],
    });
    try {
      const result = await sandboxUp({
        name,
        issuersFile: issuers,
        contractFile: contract,
        wanDelayMs: wan,
        memberLinks: this.flags['member-links'],
        timeoutMs: timeout ?? TIMEOUT_MS,
        actor: currentActor(),
        signal: this.signal,
        onStep: (step, state, detail) => progress.step(step, state, detail),
      });
      const { paths, state, warnings, ...data } = result;
      return {
        kind: SandboxUp.kind,
        data: { ...data, folder: paths.folder, config: paths.config, ports: state.ports },
        warnings,
        names: [`sandbox/${name}`],
        view: () => [
          facts([
            ['sandbox', name],
            ['result', data.changed ? `up (${data.started.length} processes started)` : 'was up already'],
            ['issuers', data.issuers],
            ['config', paths.config],
            ['next', `capstan status · capstan sandbox status · eval "$(capstan sandbox env)"`],
          ]),
        ],
      };
    } finally {
      progress.close();
    }
  }
}
