import { CapstanCommand } from '../../cli/base-command.ts';
import { openEstate, withEtcdReader } from '../../cli/estate.ts';
import { watchFlags } from '../../cli/flags.ts';
import { projectionSections } from '../../cli/present/projection.ts';
import { PROJECTION_ERRORS } from '../../cli/projections.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class ProjectionList extends CapstanCommand<typeof ProjectionList> {
  static override summary =
    'How fresh the projections are, what state their shards are in, and which projectors live.';
  static override kind = 'ProjectionList';
  static override errors = PROJECTION_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %> --watch',
    '<%= config.bin %> <%= command.id %> -o json | jq .data.stalenessMs',
  ];
  static override flags = { ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const estate = await openEstate(this.flags.config);
    const { readProjections } = await import('../../cli/read-projections.ts');
    const data = await withEtcdReader(estate, (etcd) => readProjections({ etcd, estate }));
    return {
      kind: ProjectionList.kind,
      data,
      names: data.projectors.map(({ name }) => `projector/${name}`),
      view: () => projectionSections(data),
    };
  }
}
