/** One line a noun, for `capstan --help`. */
export const TOPICS: Readonly<Record<string, { description: string }>> = {
  agent: { description: 'The reconciler beside each Postgres member.' },
  audit: { description: 'Who changed what, when, with which plan.' },
  cluster: { description: 'Replica sets: a leader and its followers.' },
  compliance: {
    description: 'Decisions of all issuers, searched: from the projections, or from the authorities.',
  },
  drill: { description: 'Load, faults, and a verdict on what clients saw: whether a promise can be broken.' },
  failover: { description: 'Hand a cluster to a follower when its leader is gone.' },
  gateway: { description: 'The HTTP API for reservations.' },
  history: { description: 'What clients saw, judged by the rules that a drill is judged by.' },
  issuer: { description: 'Single issuers: corrections of their limits.' },
  loss: { description: 'What failovers have lost: salvaged, signed off, sent again.' },
  map: { description: 'Which cluster owns which shard.' },
  member: { description: 'Single Postgres instances: what their agents say, who votes, who comes and goes.' },
  operation: { description: 'Journaled changes: watch, resume, abort.' },
  projection: { description: 'What is read from the log, folded: how fresh it is, and whether it is right.' },
  projector: { description: 'The process that tails the log into the projections.' },
  readiness: { description: 'Whether every promise can be kept now, with evidence.' },
  rebalance: { description: 'Move shards between clusters online: copied, compared, handed over, undone.' },
  rpo: { description: 'What a lost region would cost, and the gate that bounds it.' },
  sandbox: { description: 'A whole estate on this machine.' },
  shard: { description: 'Slices of issuers, each with one owner.' },
  switchover: {
    description: 'Hand a cluster over while its leader lives: nothing is lost, callers wait for a moment.',
  },
  token: { description: 'What became of a reservation token or a commit token.' },
};
