import { boolean, string } from '@oclif/core/flags';
import { CapstanCommand } from '../cli/base-command.ts';
import { CONFIG_ERRORS } from '../cli/error-groups.ts';
import { openEstate, withEtcd } from '../cli/estate.ts';
import { countFlag } from '../cli/flags.ts';
import { facts } from '../cli/render/section.ts';
import type { CommandResult } from '../cli/result.ts';
import type { InitData } from '../cli/schemas/estate.ts';

export default class Init extends CapstanCommand<typeof Init> {
  static override summary =
    'Create the estate in etcd: its shard map and its contract. Running it again changes nothing.';
  static override kind = 'Init';
  static override errors = [
    ...CONFIG_ERRORS,
    'contract_unreadable',
    'contract_invalid',
    'clusters_missing',
    'shard_count_invalid',
    'estate_differs',
    'concurrent_change',
    'secret_missing',
    'etcd_unreachable',
    'etcd_outcome_unknown',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --shards 480 --contract contract.yaml',
  ];
  static override flags = {
    shards: countFlag()({ summary: 'How many shards; fixed for ever (default 480).' }),
    contract: string({ summary: 'The contract; else the one that capstan.yaml names.', helpValue: 'FILE' }),
    'dry-run': boolean({ summary: 'Check the configuration and the contract, and stop.' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { shards: shardCount, 'dry-run': dryRun } = this.flags;
    const estate = await openEstate(this.flags.config);
    const [{ initEstate }, { loadContract }, { currentActor }, { DEFAULT_SHARD_COUNT }] = await Promise.all([
      import('../controlplane/init.ts'),
      import('../config/contract.ts'),
      import('../controlplane/actor.ts'),
      import('../domain/shard.ts'),
    ]);
    const source = this.flags.contract ?? estate.config.contract;
    const contract = await loadContract(source);
    const planned = {
      estate: estate.config.estate,
      shardCount: shardCount ?? DEFAULT_SHARD_COUNT,
      contract: source,
    };
    const data: InitData = dryRun
      ? { changed: false, dryRun, ...planned, incarnation: null, mapVersion: null }
      : await withEtcd(estate, async (etcd) => {
          const { keys, config } = estate;
          const options = { etcd, keys, config, contract, actor: currentActor() };
          const done = await initEstate({ ...options, ...(shardCount === undefined ? {} : { shardCount }) });
          const { incarnation } = done.estate;
          return { changed: done.changed, dryRun, ...planned, incarnation, mapVersion: done.mapVersion };
        });
    return {
      kind: Init.kind,
      data,
      names: [`estate/${data.estate}`],
      view: () => [
        facts([
          ['estate', data.estate],
          ['shards', data.shardCount],
          ['contract', data.contract],
          ['incarnation', data.incarnation],
          ['map version', data.mapVersion],
          ['changed', data.changed ? 'yes' : dryRun ? 'no: a dry run' : 'no: it was there already'],
        ]),
      ],
    };
  }
}
