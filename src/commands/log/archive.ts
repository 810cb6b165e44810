import { boolean } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ARCHIVE_ERRORS, ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate } from '../../cli/estate.ts';
import { durationFlag } from '../../cli/flags.ts';
import { archiveData, archiveError, archiveSections } from '../../cli/present/log.ts';
import { Progress } from '../../cli/progress.ts';
import { text } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { shardsFlag } from '../../cli/shard-list.ts';

const EVERY_MS = 10_000;

export default class LogArchive extends CapstanCommand<typeof LogArchive> {
  static override summary = 'Add to the archive what the shards’ logs have and it does not.';
  static override description =
    'Full segments, and what is older than archive.closeAfter. Run again, or by several at once, it adds nothing twice; killed at any moment, the archive is the old one or the new one. What a failover lost stays in it, marked.';
  static override kind = 'LogArchive';
  static override errors = [
    ...ETCD_ERRORS,
    ...ARCHIVE_ERRORS,
    'shard_missing',
    'archive_conflict',
    'archive_partial',
    'interrupted',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --shards 184 --close',
    '<%= config.bin %> <%= command.id %> --follow --every 10s',
  ];
  static override flags = {
    shards: shardsFlag({ summary: 'Only these; default: all.' }),
    close: boolean({ summary: 'Also what fills no segment yet, up to what is confirmed.' }),
    follow: boolean({ summary: 'Go on until SIGTERM or Ctrl-C. Logs JSON on stderr.' }),
    every: durationFlag({ summary: 'How often --follow looks (default 10s).', dependsOn: ['follow'] }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { shards, close, follow, every = EVERY_MS, debug } = this.flags;
    const estate = await openEstate(this.flags.config);
    const { archiveCommand } = await import('../../cli/log-command.ts');
    const progress = new Progress({ subject: 'log', noColor: this.flags['no-color'] });
    const { where, incarnation, outcomes, followed } = await archiveCommand({
      estate,
      shards,
      close,
      progress,
      debug,
      signal: this.signal,
      followEveryMs: follow ? every : undefined,
    }).finally(() => progress.close());
    const once = archiveData(outcomes, { where, incarnation });
    const data = followed === undefined ? once : { ...once, ...followed, changed: followed.segments > 0 };
    const error = archiveError(outcomes);
    return {
      kind: LogArchive.kind,
      data,
      names: data.shards.filter(({ segments }) => segments > 0).map(({ shard }) => `shard/${shard}`),
      view: () =>
        followed === undefined
          ? archiveSections(data)
          : [text(`the archiver has stopped: ${followed.segments} segments of ${followed.entries} entries`)],
      ...(error === undefined ? {} : { error }),
    };
  }
}
