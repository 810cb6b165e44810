import { string } from '@oclif/core/args';
import { CapstanCommand } from '../../cli/base-command.ts';
import { facts } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { parseCommitToken } from '../../domain/commit-token.ts';

export default class TokenDecode extends CapstanCommand<typeof TokenDecode> {
  static override summary = 'What a commit token says: shard, position, generation, term. Asks nobody.';
  static override kind = 'CommitToken';
  static override errors = ['commit_token_invalid'] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> shard184@982441~7.3'];
  static override args = { token: string({ description: 'The commit token.', required: true }) };

  protected override async execute(): Promise<CommandResult> {
    const { shard, position, generation, term } = parseCommitToken(this.args.token);
    const data = { commitToken: this.args.token, shard, position: String(position), generation, term };
    return {
      kind: TokenDecode.kind,
      data,
      names: [`shard/${shard}`],
      view: () => [
        facts([
          ['commit token', data.commitToken],
          ['shard', shard],
          ['position', data.position],
          ['generation', generation],
          ['term', term],
        ]),
      ],
    };
  }
}
