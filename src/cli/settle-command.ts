import type { Keys } from '../controlplane/keys.ts';
import { messageOf } from '../domain/errors.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { TokenResolutionOptions } from '../gateway/token-types.ts';
import { confirmYes } from './prompt.ts';
import type { TokenResolutionData } from './schemas/token.ts';
import { tokenData } from './token-command.ts';

/**
 * Writes `abandoned` under an absent token, after a yes. The intent is audited first, so that nothing is settled without a
 * trace; what came of it after, and losing that entry is a warning. What a late original won is answered as it is.
 */
export async function settleCommand(options: {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly request: TokenResolutionOptions & { readonly issuer: string };
  readonly interactive: boolean;
  readonly yes: boolean;
}): Promise<{ readonly data: TokenResolutionData; readonly warnings: readonly string[] }> {
  const { etcd, keys, request, interactive, yes } = options;
  const { token, issuer } = request;
  await confirmYes({ interactive, yes, action: `make token ${token} of ${issuer} final as abandoned` });
  const [{ settleToken }, { currentActor, deskOf }, { appendAudit }] = await Promise.all([
    import('../gateway/token-resolution.ts'),
    import('../controlplane/actor.ts'),
    import('../controlplane/audit.ts'),
  ]);
  const actor = currentActor();
  const entry = {
    actor,
    action: 'token.settle',
    target: `${issuer} ${token}`,
    before: { status: 'not_found' },
  };
  await appendAudit(etcd, keys, { ...entry, outcome: 'unknown', reason: 'asked for; the result follows' });
  const settled = await settleToken({ ...request, desk: deskOf(actor) });
  const unaudited = await appendAudit(etcd, keys, {
    ...entry,
    after: { status: settled.status, commitToken: settled.evidence.commit_token },
    outcome: settled.status === 'unknown' ? 'unknown' : 'done',
    reason: settled.detail,
  }).then(
    () => [],
    (error: unknown) => [`the audit log holds the request alone, not its result: ${messageOf(error)}`],
  );
  // Only an absent token gets here, so `abandoned` was written by this very call.
  return { data: tokenData(settled, settled.status === 'abandoned'), warnings: unaudited };
}
