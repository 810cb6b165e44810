import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ARCHIVE_ERRORS, CONFIG_ERRORS } from '../../cli/error-groups.ts';
import { openEstate } from '../../cli/estate.ts';
import { countFlag } from '../../cli/flags.ts';
import { replaySections } from '../../cli/present/log.ts';
import { Progress } from '../../cli/progress.ts';
import type { CommandResult } from '../../cli/result.ts';
import { shardsFlag } from '../../cli/shard-list.ts';
import { partialError, usageError } from '../../domain/errors.ts';

export default class LogReplay extends CapstanCommand<typeof LogReplay> {
  static override summary =
    'Read the archived log back: fold the projections anew, or write it as JSON lines.';
  static override description =
    'It asks neither etcd nor a shard. Each segment is checked before one entry of it is used; a shard of the projections is folded in one transaction, so a damaged archive changes nothing of it.';
  static override kind = 'LogReplay';
  static override errors = [
    ...CONFIG_ERRORS,
    ...ARCHIVE_ERRORS,
    'archive_partial',
    'flags_conflict',
    'file_exists',
    'projections_missing',
    'projection_busy',
    'projection_paused',
    'projection_log_broken',
    'postgres_unreachable',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> --into projections',
    '<%= config.bin %> <%= command.id %> --into - --shards 184 --from 1 --to 100 | head',
  ];
  static override flags = {
    into: string({
      summary: 'projections; or a new file; - writes to stdout.',
      required: true,
      helpValue: 'projections|FILE|-',
    }),
    shards: shardsFlag({ summary: 'Only these; default: all that are archived.' }),
    incarnation: string({ summary: 'Of the estate, where the archive holds several.', helpValue: 'ID' }),
    from: countFlag()({ summary: 'The first position; not into projections.' }),
    to: countFlag()({ summary: 'The last position; not into projections.' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { into, shards, incarnation, from, to } = this.flags;
    if (into === 'projections' && (from !== undefined || to !== undefined))
      throw usageError('a projection is folded from the whole log: --from and --to are for lines', {
        code: 'flags_conflict',
      });
    if (into === '-' && this.output.machine)
      throw usageError('--into - writes the log to stdout, where -o would write its result', {
        code: 'flags_conflict',
      });
    const estate = await openEstate(this.flags.config);
    const { replayCommand } = await import('../../cli/log-read-command.ts');
    const progress = new Progress({ subject: 'log', noColor: this.flags['no-color'] });
    const data = await replayCommand({
      estate,
      shards,
      incarnation,
      into,
      progress,
      signal: this.signal,
      from: from === undefined ? undefined : BigInt(from),
      to: to === undefined ? undefined : BigInt(to),
    }).finally(() => progress.close());
    const failed = data.shards.filter(({ error }) => error !== null);
    return {
      kind: LogReplay.kind,
      data,
      names: into === '-' ? [] : data.shards.map(({ shard }) => `shard/${shard}`),
      view: () => (into === '-' ? [] : replaySections(data)),
      ...(failed.length === 0
        ? {}
        : {
            error: partialError(
              `${failed.length} of ${data.shards.length} shards were not replayed; the first: ${failed[0]?.error ?? ''}`,
              {
                code: 'archive_partial',
                next: 'capstan log verify',
                data: { shards: failed.map(({ shard }) => shard) },
              },
            ),
          }),
    };
  }
}
