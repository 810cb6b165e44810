import { string } from '@oclif/core/args';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-catalog.ts';
import { lookUp } from '../../cli/estate.ts';
import { facts } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { routeIssuer } from '../../controlplane/route-issuer.ts';
import type { MapRoute as MapRouteData } from '../../cli/schemas/map.ts';

export default class MapRoute extends CapstanCommand<typeof MapRoute> {
  static override summary = 'Where an issuer’s decisions are made: shard, cluster, generation, term, leader.';
  static override kind = 'MapRoute';
  static override errors = [...ETCD_ERRORS, 'issuer_invalid', 'shard_missing'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> MUNI-77'];
  static override args = {
    issuer: string({ description: 'The issuer, such as MUNI-77.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { issuer } = this.args;
    const { entry, mapVersion, authority } = await lookUp(this.flags.config, (found) =>
      routeIssuer({ ...found, issuer }),
    );
    const data: MapRouteData = {
      issuer,
      shard: entry.shard,
      cluster: entry.cluster,
      generation: entry.generation,
      state: entry.state,
      mapVersion,
      term: authority?.term ?? null,
      leader: authority?.leader ?? null,
      phase: authority?.phase ?? null,
    };
    return {
      kind: MapRoute.kind,
      data,
      names: [`shard/${data.shard}`],
      view: () => [
        facts([
          ['issuer', data.issuer],
          ['shard', data.shard],
          ['cluster', data.cluster],
          ['leader', data.leader],
          ['phase', data.phase],
          ['generation', data.generation],
          ['term', data.term],
          ['state', data.state],
          ['map version', data.mapVersion],
        ]),
      ],
    };
  }
}
