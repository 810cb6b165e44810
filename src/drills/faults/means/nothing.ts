import { CapstanError, ExitCode, messageOf } from '../../../domain/errors.ts';

/** The ground has nothing that this fault could be injected into now: that is recorded, and is no failure. */
export class NothingToInjectInto extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'NothingToInjectInto';
  }
}

/** A refusal changed nothing: as things stand there is nothing to inject into. Anything else stays what it is. */
export const nothingIfRefused = (error: unknown): unknown =>
  error instanceof CapstanError && error.exit === ExitCode.refused
    ? new NothingToInjectInto(messageOf(error))
    : error;
