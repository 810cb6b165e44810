import { string } from '@oclif/core/args';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { MAP_ROUTE_KIND, routeResult } from '../../cli/map-route.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class MapRoute extends CapstanCommand<typeof MapRoute> {
  static override summary = 'Where an issuer’s decisions are made: shard, cluster, generation, term, leader.';
  static override kind = MAP_ROUTE_KIND;
  static override errors = [...ETCD_ERRORS, 'issuer_invalid', 'shard_missing'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> MUNI-77'];
  static override args = {
    issuer: string({ description: 'The issuer, such as MUNI-77.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    return routeResult({ issuer: this.args.issuer, config: this.flags.config });
  }
}
