import { operationArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import {
  ETCD_ERRORS,
  MOVE_GOAL_ERRORS,
  OPERATION_ERRORS,
  REJOIN_ERRORS,
  SWITCHOVER_ENDINGS,
} from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { refusedError, type CapstanError } from '../../domain/errors.ts';
import { countFlag, durationFlag } from '../../cli/flags.ts';
import { withMoveSides } from '../../cli/move-sides.ts';
import { watchOperation } from '../../cli/operation-runner.ts';
import { detailOperation, operationSections } from '../../cli/present/operation.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { OperationDetail } from '../../cli/schemas/operation.ts';

export default class OperationResume extends CapstanCommand<typeof OperationResume> {
  static override summary =
    'Go on with an operation from where its journal says it is; watches it to its end.';
  static override kind = 'OperationResume';
  static override errors = [
    ...ETCD_ERRORS,
    'operation_not_found',
    'operation_aborted',
    'loss_not_open',
    ...SWITCHOVER_ENDINGS,
    ...REJOIN_ERRORS,
    ...MOVE_GOAL_ERRORS,
    ...OPERATION_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> failover-20261122t205916-3f9a',
    '<%= config.bin %> <%= command.id %> failover-20261122t205916-3f9a --accept-loss 500',
  ];
  static override args = {
    operation: operationArgument({ description: 'The operation’s id.', required: true }),
  };
  static override flags = {
    'accept-loss': countFlag(0)({
      summary: 'A regional failover that stopped with loss_exceeds_plan: accept this many lost decisions.',
    }),
    timeout: durationFlag({ summary: 'Wait at most this long; the operation stays resumable.' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const id = this.args.operation;
    const estate = await openEstate(this.flags.config);
    const [{ resumeOperation }, { currentActor }] = await Promise.all([
      import('../../controlplane/operation/control.ts'),
      import('../../controlplane/actor.ts'),
    ]);
    const watched = await withEtcd(estate, (etcd) =>
      watchOperation(
        {
          subject: id,
          timeoutMs: this.flags.timeout,
          wait: true,
          noColor: this.flags['no-color'],
          interrupted: this.signal,
        },
        (watching) =>
          withMoveSides({ etcd, estate }, (sides) =>
            resumeOperation({
              etcd,
              keys: estate.keys,
              id,
              actor: currentActor(),
              acceptLoss: this.flags['accept-loss'],
              sides,
              ...watching,
            }),
          ),
      ),
    );
    if (watched.kind === 'left') throw new Error('a watched operation was let go');
    const operation = detailOperation(watched.result.operation);
    return {
      kind: OperationResume.kind,
      data: { changed: watched.result.changed, operation },
      names: [`operation/${operation.id}`],
      view: () => operationSections(operation),
      ...(operation.status === 'aborted' ? { error: abortedError(operation) } : {}),
    };
  }
}

const abortedError = ({ id, kind, cluster }: OperationDetail): CapstanError =>
  refusedError(`operation ${id} was aborted: there is nothing to go on with`, {
    code: 'operation_aborted',
    next: kind === 'rebalance' ? 'capstan rebalance plan' : `capstan ${kind} plan ${cluster}`,
    data: { operation: id },
  });
