import type { Keys } from '../controlplane/keys.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { TokenResolutionOptions } from '../gateway/token-resolution.ts';
import { confirmYes } from './prompt.ts';
import type { TokenResolutionData } from './schemas/token.ts';
import { tokenData } from './token-command.ts';

/** Writes `abandoned` under an absent token, after a yes, and audits it. What a late original won is answered as it is. */
export async function settleCommand(options: {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly request: TokenResolutionOptions & { readonly issuer: string };
  readonly interactive: boolean;
  readonly yes: boolean;
}): Promise<TokenResolutionData> {
  const { etcd, keys, request, interactive, yes } = options;
  const { token, issuer } = request;
  await confirmYes({ interactive, yes, action: `make token ${token} of ${issuer} final as abandoned` });
  const [{ settleToken }, { currentActor }, { appendAudit }] = await Promise.all([
    import('../gateway/token-resolution.ts'),
    import('../controlplane/actor.ts'),
    import('../controlplane/audit.ts'),
  ]);
  const actor = currentActor();
  const settled = await settleToken({ ...request, desk: deskOf(actor) });
  const changed = settled.status === 'abandoned' && settled.outcome?.replayed !== true;
  await appendAudit(etcd, keys, {
    actor,
    action: 'token.settle',
    target: `${issuer} ${token}`,
    before: { status: 'not_found' },
    after: { status: settled.status, commitToken: settled.evidence.commit_token },
    outcome: settled.status === 'unknown' ? 'unknown' : 'done',
    reason: settled.detail,
  });
  return tokenData(settled, changed);
}

/** The actor in the spelling that the decision contract takes for a desk. */
const deskOf = (actor: string) =>
  actor
    .replaceAll(/[^A-Za-z0-9._:@+-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128);
