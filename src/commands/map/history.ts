import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { countFlag } from '../../cli/flags.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { MapHistory as MapHistoryData } from '../../cli/schemas/map.ts';
import { mapHistory } from '../../controlplane/shard-map.ts';

export default class MapHistory extends CapstanCommand<typeof MapHistory> {
  static override summary = 'The versions of the shard map, the newest first: who changed what, and why.';
  static override kind = 'MapHistory';
  static override errors = ETCD_ERRORS;
  static override examples = ['<%= config.bin %> <%= command.id %> --limit 5'];
  static override flags = {
    limit: countFlag()({ summary: 'The most versions to show.', default: 20 }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { limit } = this.flags;
    const history = await lookUp(this.flags.config, ({ etcd, keys }) => mapHistory(etcd, keys, { limit }));
    const data: MapHistoryData = {
      changes: history.toReversed().map(({ changes, ...change }) => ({
        ...change,
        shards: changes.length,
        entries: changes.map(({ shard, from, to }) => ({ shard, from, to })),
      })),
    };
    return {
      kind: MapHistory.kind,
      data,
      names: data.changes.map(({ version }) => `map/${version}`),
      view: () => [
        table({
          columns: [
            { header: 'VERSION', value: (row) => row.version, align: 'right' },
            { header: 'AT', value: (row) => row.at },
            { header: 'ACTOR', value: (row) => row.actor, shrink: true },
            { header: 'SHARDS', value: (row) => row.shards, align: 'right' },
            { header: 'OPERATION', value: (row) => row.operation, wide: true },
            { header: 'REASON', value: (row) => row.reason, shrink: true },
          ],
          rows: data.changes,
          empty: 'no change is recorded',
        }),
      ],
    };
  }
}
