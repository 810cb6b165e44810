import { string } from '@oclif/core/args';
import { boolean, string as stringFlag } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import {
  centsOf,
  incompleteSearch,
  momentOf,
  searchLeaders,
  searchProjections,
  searchSections,
} from '../../cli/compliance-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { countFlag, durationFlag } from '../../cli/flags.ts';
import type { CommandResult } from '../../cli/result.ts';
import { usageError } from '../../domain/errors.ts';
import { LOG_EVENTS } from '../../domain/log-entry.ts';
import type { SearchQuery } from '../../projections/search-query.ts';

const LIMIT_MAX = 200;
const STATUSES = ['open', 'released', 'rejected', 'abandoned', 'final'] as const;

export default class ComplianceSearch extends CapstanCommand<typeof ComplianceSearch> {
  static override summary = 'Search all decisions: from the projections, or from the authorities.';
  static override description =
    'TEXT is an id or a token, an issuer or a part of one, or words that must all be found, each from its beginning. The best matches come first, the newest of each first. With --authoritative the leaders are asked: nothing is older than the answer, and old decisions beyond a bound are not looked at.';
  static override kind = 'ComplianceSearch';
  static override errors = [
    ...ETCD_ERRORS,
    'projections_missing',
    'postgres_unreachable',
    'page_invalid',
    'page_outdated',
    'search_invalid',
    'search_incomplete',
    'flags_conflict',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> tok-77',
    '<%= config.bin %> <%= command.id %> --issuer "MUNI-*" --status open --from 2026-11-30T09:00:00Z -o json',
  ];
  static override args = {
    text: string({ description: 'What is sought; left out, the filters alone decide.' }),
  };
  static override flags = {
    issuer: stringFlag({
      summary: 'An issuer; with a trailing *, all that begin with it.',
      helpValue: 'ISSUER',
    }),
    contains: stringFlag({ summary: 'Part of an issuer, in any case.', helpValue: 'TEXT' }),
    desk: stringFlag({ summary: 'Decided for this desk.', helpValue: 'DESK' }),
    'amount-min': stringFlag({ summary: 'At least this much.', helpValue: 'AMOUNT' }),
    'amount-max': stringFlag({ summary: 'At most this much.', helpValue: 'AMOUNT' }),
    from: stringFlag({ summary: 'Decided then or later.', helpValue: 'TIME' }),
    to: stringFlag({ summary: 'Decided before then.', helpValue: 'TIME' }),
    status: stringFlag({ summary: 'What has become of it.', options: [...STATUSES] }),
    event: stringFlag({ summary: 'The kind of decision.', options: [...LOG_EVENTS] }),
    authoritative: boolean({ summary: 'Ask the shards’ leaders.', exclusive: ['page'] }),
    page: stringFlag({ summary: 'The next page, as the answer before named it.', helpValue: 'PAGE' }),
    limit: countFlag()({ summary: 'The most to show, up to 200.', default: 50 }),
    timeout: durationFlag({ summary: 'Ask for at most this long.', default: 5_000 }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { limit, page, authoritative, timeout: deadlineMs } = this.flags;
    if (limit > LIMIT_MAX) {
      throw usageError(`--limit is at most ${LIMIT_MAX}: --page goes on`, { code: 'search_invalid' });
    }
    const query = this.#query();
    const estate = await openEstate(this.flags.config);
    const data = await withEtcd(estate, (etcd) => {
      const request = { etcd, estate, query, limit, deadlineMs };
      return authoritative ? searchLeaders(request) : searchProjections({ ...request, page });
    });
    const error = incompleteSearch(data);
    return {
      kind: ComplianceSearch.kind,
      data,
      names: data.found.map(({ commitToken }) => commitToken),
      view: () => searchSections(data),
      ...(error === undefined ? {} : { error }),
    };
  }

  #query(): SearchQuery {
    const { issuer, contains, desk, from, to, status, event } = this.flags;
    const entries = Object.entries({
      text: this.args.text,
      issuer,
      issuerContains: contains,
      desk,
      amountMinCents: centsOf('amount-min', this.flags['amount-min']),
      amountMaxCents: centsOf('amount-max', this.flags['amount-max']),
      from: momentOf('from', from),
      to: momentOf('to', to),
      status,
      event,
    } satisfies Record<keyof SearchQuery, string | undefined>);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as SearchQuery;
  }
}
