import { CapstanCommand } from '../cli/base-command.ts';
import { CONFIG_ERRORS } from '../cli/error-groups.ts';
import { openEstate } from '../cli/estate.ts';
import { facts } from '../cli/render/section.ts';
import type { CommandResult } from '../cli/result.ts';
import type { ContextData } from '../cli/schemas/tooling.ts';

export default class Context extends CapstanCommand<typeof Context> {
  static override summary = 'Which estate this command line talks to, and why.';
  static override kind = 'Context';
  static override errors = CONFIG_ERRORS;
  static override examples = ['<%= config.bin %> <%= command.id %>'];

  protected override async execute(): Promise<CommandResult> {
    const { location, config, region } = await openEstate(this.flags.config);
    const { addressFrom } = await import('../config/address-from.ts');
    const data: ContextData = {
      config: location.path,
      source: location.source,
      why: location.why,
      estate: config.estate,
      region: region ?? null,
      etcd: [...addressFrom(config.etcd.endpoints, region)],
      clusters: Object.keys(config.clusters),
      gateways: Object.entries(config.gateways).map(([name, gateway]) => ({
        name,
        region: gateway.region,
        url: gateway.url,
      })),
      projections:
        config.projections === undefined
          ? null
          : {
              database: config.projections.database,
              address: addressFrom(config.projections.address, region),
              projectors: Object.entries(config.projectors).map(([name, projector]) => ({
                name,
                region: projector.region,
              })),
            },
    };
    return {
      kind: Context.kind,
      data,
      names: [`estate/${data.estate}`],
      view: () => [
        facts([
          ['config', data.config],
          ['because', data.why],
          ['estate', data.estate],
          ['seen from', data.region ?? 'no region (CAPSTAN_REGION is not set)'],
          ['etcd', data.etcd.join(', ')],
          ['clusters', data.clusters.join(', ')],
          ['projections', projectionsText(data.projections)],
          ['gateways', data.gateways.map(({ name, url }) => `${name} ${url}`).join(', ')],
        ]),
      ],
    };
  }
}

const projectionsText = (projections: ContextData['projections']): string =>
  projections === null
    ? 'none'
    : `${projections.database} at ${projections.address}, projectors ${projections.projectors.map(({ name }) => name).join(', ') || 'none'}`;
