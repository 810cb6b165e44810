import { assertNever } from '../../domain/errors.ts';
import type { Session } from '../local-session.ts';
import { detachSubscription, dropSlot } from './carry-out-step.ts';
import type { MoveFacts } from './move-facts.ts';
import { dropPublication } from './statements.ts';

/** In the order in which they go: first what may still write rows here. */
export const OBJECT_KINDS = ['subscriptions', 'slots', 'publications'] as const;
export type ObjectKind = (typeof OBJECT_KINDS)[number];

/** The names of what a Postgres has of this kind. */
export const objectsIn = (facts: MoveFacts, kind: ObjectKind): readonly string[] =>
  kind === 'publications' ? facts.publications : facts[kind].map(({ name }) => name);

/** A slot that is in use stays; whoever used it was ended. */
export async function dropObject(admin: Session, kind: ObjectKind, name: string): Promise<void> {
  switch (kind) {
    case 'subscriptions':
      return detachSubscription(admin, name);
    case 'slots':
      return dropSlot(admin, name);
    case 'publications':
      await admin.query(dropPublication(name));
      return undefined;
    default:
      return assertNever(kind);
  }
}
