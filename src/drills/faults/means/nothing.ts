/** The ground has nothing that this fault could be injected into now: that is recorded, and is no failure. */
export class NothingToInjectInto extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'NothingToInjectInto';
  }
}
