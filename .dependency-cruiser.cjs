/**
 * The layers of src/: commands -> operations -> adapters -> domain. An import against the arrow is an error.
 * `npm run layers` checks the tree; test/unit/tooling/layers.test.ts plants a violation of each rule and sees it fire.
 */
const operations = '^src/(agent|archive|checks|controlplane|drills|gateway|projections|runbooks|sandbox)/';
const adapters = '^src/(clock|postgres|etcd|config|reservations)/';

module.exports = {
  forbidden: [
    {
      name: 'domain-is-pure',
      comment: 'The domain imports nothing of ours but itself, and of Node only what is pure.',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { pathNot: ['^src/domain/', '^(node:)?crypto$'] },
    },
    {
      name: 'adapters-know-no-operation',
      comment: 'Clocks, Postgres, etcd, configuration and the decision contract sit below every operation.',
      severity: 'error',
      from: { path: adapters },
      to: { path: [operations, '^src/(cli|commands)/'] },
    },
    {
      name: 'operations-know-no-command-line',
      comment: 'An operation takes one options object and knows no flag, stream or prompt.',
      severity: 'error',
      from: { path: operations },
      to: { path: '^src/(cli|commands)/|node_modules/(@oclif|@inquirer|cli-table3)/' },
    },
    {
      name: 'only-cli-prompts',
      comment: 'Prompts and tables are drawn in one place.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: 'node_modules/(@inquirer|cli-table3)/' },
    },
    {
      name: 'commands-are-leaves',
      comment: 'Nothing imports a command.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/commands/' },
      to: { path: '^src/commands/' },
    },
    {
      name: 'control-plane-knows-no-daemon',
      comment:
        'The control plane coordinates through etcd; it never reaches into an agent, a gateway or the sandbox.',
      severity: 'error',
      from: { path: '^src/controlplane/' },
      to: { path: '^src/(agent|gateway|sandbox|checks)/' },
    },
    {
      name: 'sandbox-uses-what-everyone-has',
      comment: 'Only the sandbox knows the sandbox: an estate works without it.',
      severity: 'error',
      from: { path: '^src/(agent|gateway|controlplane|checks)/' },
      to: { path: '^src/sandbox/' },
    },
    {
      name: 'checker-is-pure',
      comment: 'A verdict depends on the history alone: no clock, no I/O, nothing of what made it.',
      severity: 'error',
      from: { path: '^src/drills/checker/' },
      to: { pathNot: ['^src/drills/checker/', '^src/drills/history/types\\.ts$', '^src/domain/'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-dev-dependency-in-product',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: 'node_modules/@types/' },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
