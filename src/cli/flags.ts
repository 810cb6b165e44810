import { boolean, custom, string } from '@oclif/core/flags';
import { parseDurationMs } from '../domain/duration.ts';
import { usageError } from '../domain/errors.ts';
import { isName, NAME_RULE } from '../domain/identifiers.ts';

/** A duration such as `250ms`, `30s` or `10m`, in milliseconds. */
export const durationFlag = custom<number>({
  helpValue: 'DURATION',
  parse: async (input) => {
    const ms = parseDurationMs(input);
    if (ms === undefined) {
      throw usageError(`${JSON.stringify(input)} is not a duration such as 250ms, 30s or 10m`, {
        code: 'flag_invalid',
      });
    }
    return ms;
  },
});

/** A whole number from `min` on. */
export const countFlag = (min = 1) =>
  custom<number>({
    helpValue: 'N',
    parse: async (input) => {
      const value = Number(input);
      if (!Number.isSafeInteger(value) || value < min) {
        throw usageError(`${JSON.stringify(input)} is not a whole number from ${min} on`, {
          code: 'flag_invalid',
        });
      }
      return value;
    },
  });

/** The name of a cluster, a member or a region. */
export const nameFlag = custom({
  helpValue: 'NAME',
  parse: async (input) => {
    if (!isName(input)) {
      throw usageError(`${JSON.stringify(input)} is not a name (${NAME_RULE})`, { code: 'name_invalid' });
    }
    return input;
  },
});

export const watchFlags = {
  watch: boolean({ char: 'w', summary: 'Repeat: redraws on a terminal, one document a line with -o json.' }),
  interval: durationFlag({ summary: 'How often --watch repeats (default 2s).', dependsOn: ['watch'] }),
};

/** What every change of a cluster takes; `waitFor` says what `--wait` waits for. */
export const changeFlags = (waitFor: string) => ({
  ...plannedFlags(waitFor),
  confirm: string({ summary: 'Approve without a question: the cluster’s name.', helpValue: 'CLUSTER' }),
});

/** What every change of low risk takes. */
export const lowRiskFlags = (waitFor: string) => ({
  ...plannedFlags(waitFor),
  yes: boolean({ char: 'y', summary: 'Approve without a question.' }),
});

const plannedFlags = (waitFor: string) => ({
  'dry-run': boolean({ summary: 'Print the plan and stop: the same planner, the same checks.' }),
  plan: string({ summary: 'Refuse to run any plan but the one with this hash.', helpValue: 'HASH' }),
  reason: string({ summary: 'Why, for the journal and the audit log.', helpValue: 'TEXT' }),
  wait: boolean({ summary: `Wait until ${waitFor}.`, default: true, allowNo: true }),
  timeout: durationFlag({ summary: 'Wait at most this long; the operation stays resumable.' }),
});

/** Where a member is, when the configuration doesn't say it. */
export const memberPlaceFlags = {
  cluster: nameFlag({ summary: 'Its cluster; default: the one that the configuration says.' }),
  region: nameFlag({ summary: 'Its region; default: the one that the configuration says.' }),
};
