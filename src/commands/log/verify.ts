import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ARCHIVE_ERRORS, ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate } from '../../cli/estate.ts';
import { verifySections } from '../../cli/present/log.ts';
import { Progress } from '../../cli/progress.ts';
import type { CommandResult } from '../../cli/result.ts';
import { shardsFlag } from '../../cli/shard-list.ts';
import { CapstanError, ExitCode } from '../../domain/errors.ts';

export default class LogVerify extends CapstanCommand<typeof LogVerify> {
  static override summary = 'Whether the archive is what was written, byte by byte. Exit 0: sound; 3: not.';
  static override description =
    'Reads every segment and head: checksums, chains, density, lineage. It asks neither etcd nor a shard, unless --against shards compares every entry with the live log. The newest objects taken away together are found only so.';
  static override kind = 'LogVerify';
  static override errors = [...ETCD_ERRORS, ...ARCHIVE_ERRORS, 'archive_problems'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --shards 184 --against shards',
  ];
  static override flags = {
    shards: shardsFlag({ summary: 'Only these; default: all that are archived.' }),
    against: string({ summary: 'Compare with this, too.', options: ['shards'] }),
    incarnation: string({ summary: 'Of the estate, where the archive holds several.', helpValue: 'ID' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { shards, against, incarnation } = this.flags;
    const estate = await openEstate(this.flags.config);
    const { verifyCommand } = await import('../../cli/log-read-command.ts');
    const progress = new Progress({ subject: 'log', noColor: this.flags['no-color'] });
    const data = await verifyCommand({
      estate,
      shards,
      incarnation,
      progress,
      signal: this.signal,
      againstShards: against === 'shards',
    }).finally(() => progress.close());
    const [first] = data.problems;
    return {
      kind: LogVerify.kind,
      data,
      names: data.problems.map(({ shard, problem }) => `${problem}/${shard}`),
      view: () => verifySections(data),
      ...(first === undefined
        ? {}
        : {
            error: new CapstanError(
              `${data.problems.length} problems; the first: shard ${first.shard}, ${first.problem}: ${first.why}`,
              { code: 'archive_problems', exit: ExitCode.notReady, data: { problems: data.problems.length } },
            ),
          }),
    };
  }
}
