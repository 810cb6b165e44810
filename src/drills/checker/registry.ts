import type { Issuer, Shard, Token } from './facts.ts';

/** One object for each issuer, token, shard and name, made when it is first met. */
export class Registry {
  readonly issuers = new Map<string, Issuer>();
  readonly shards = new Map<number, Shard>();
  readonly tokens: Token[] = [];
  readonly #names = new Map<string, string>();

  /** Few different texts come a million times: one copy of each is kept. */
  name(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    this.#names.set(text, text);
    return text;
  }

  issuer(name: string): Issuer {
    let issuer = this.issuers.get(name);
    if (issuer === undefined) {
      issuer = {
        name,
        tokens: new Map(),
        shard: null,
        entries: [],
        changes: [],
        reads: [],
        loose: [],
        opaque: false,
      };
      this.issuers.set(name, issuer);
    }
    return issuer;
  }

  token(issuerName: string, name: string): Token {
    const issuer = this.issuer(issuerName);
    let token = issuer.tokens.get(name);
    if (token === undefined) {
      token = {
        issuer,
        name,
        attempts: [],
        lost: null,
        entry: null,
        report: null,
        position: null,
        commit: null,
        start: null,
      };
      issuer.tokens.set(name, token);
      this.tokens.push(token);
    }
    return token;
  }

  shard(id: number): Shard {
    let shard = this.shards.get(id);
    if (shard === undefined) {
      shard = emptyShard(id);
      this.shards.set(id, shard);
    }
    return shard;
  }
}

export const emptyShard = (id: number | null): Shard => ({
  id,
  base: null,
  head: null,
  lineage: [],
  log: [],
  entries: [],
  basePosition: -1,
  headPosition: -1,
  losses: [],
  decisionFloors: [],
  readFloors: [],
});
