import { CapstanCommand } from '../../cli/base-command.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { type DrillResult, standingOf } from '../../drills/result.ts';

export default class DrillList extends CapstanCommand<typeof DrillList> {
  static override summary =
    'The drills: what promise each can show to be broken, by which faults, and how it last went.';
  static override kind = 'DrillList';
  static override examples = ['<%= config.bin %> <%= command.id %> -o wide'];

  protected override async execute(): Promise<CommandResult> {
    const [{ DRILLS }, { FAULTS }, { DrillStore }] = await Promise.all([
      import('../../drills/catalogue.ts'),
      import('../../drills/faults/registry.ts'),
      import('../../drills/store.ts'),
    ]);
    const latest = await new DrillStore().latestByDrill();
    const drills = DRILLS.map((drill) => ({ ...drill, last: lastOf(latest.get(drill.name)) }));
    const faults = [...FAULTS.values()].map(({ name, summary }) => ({ name, summary }));
    return {
      kind: DrillList.kind,
      data: { drills, faults },
      names: drills.map(({ name }) => `drill/${name}`),
      view: ({ wide }) => [
        table({
          columns: [
            { header: 'DRILL', value: ({ name }) => name },
            { header: 'PROMISE', value: ({ promise }) => promise, shrink: true },
            { header: 'FALSIFIES', value: ({ invariants }) => invariants.join(' '), wide: true },
            { header: 'FAULTS', value: (row) => row.faults.join(', '), wide: true, shrink: true },
            { header: 'LAST', value: ({ last }) => last?.verdict },
            { header: 'RUN', value: ({ last }) => last?.id, wide: true },
          ],
          rows: drills,
        }),
        ...(wide
          ? [
              table({
                columns: [
                  { header: 'FAULT', value: ({ name }) => name },
                  { header: 'WHAT', value: ({ summary }) => summary, shrink: true },
                ],
                rows: faults,
              }),
            ]
          : []),
      ],
    };
  }
}

const lastOf = (result: DrillResult | undefined) =>
  result === undefined
    ? null
    : {
        id: result.id,
        seed: result.seed,
        verdict: standingOf(result),
        startedAt: result.startedAt,
      };
