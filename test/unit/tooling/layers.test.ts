import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const repo = join(import.meta.dirname, '..', '..', '..');

/** One planted import a rule; the importer and the imported file are otherwise empty. */
const PLANTED: readonly { rule: string; from: string; imports: string; specifier?: string }[] = [
  { rule: 'domain-is-pure', from: 'src/domain/bad.ts', imports: 'src/etcd/port.ts' },
  { rule: 'adapters-know-no-operation', from: 'src/postgres/bad.ts', imports: 'src/agent/agent.ts' },
  { rule: 'operations-know-no-command-line', from: 'src/gateway/bad.ts', imports: 'src/cli/envelope.ts' },
  { rule: 'commands-are-leaves', from: 'src/cli/bad.ts', imports: 'src/commands/status.ts' },
  { rule: 'control-plane-knows-no-daemon', from: 'src/controlplane/bad.ts', imports: 'src/agent/agent.ts' },
  { rule: 'sandbox-uses-what-everyone-has', from: 'src/agent/bad.ts', imports: 'src/sandbox/up.ts' },
  { rule: 'checker-is-pure', from: 'src/drills/checker/bad.ts', imports: 'src/etcd/port.ts' },
  { rule: 'only-cli-prompts', from: 'src/commands/bad.ts', imports: '', specifier: '@inquirer/prompts' },
  { rule: 'no-dev-dependency-in-product', from: 'src/cli/bad.ts', imports: '', specifier: 'fast-check' },
];

const trees: string[] = [];
afterAll(() => {
  for (const tree of trees) rmSync(tree, { recursive: true, force: true });
});

function plant(files: Readonly<Record<string, string>>): string {
  const tree = mkdtempSync(join(tmpdir(), 'capstan-layers-'));
  trees.push(tree);
  cpSync(join(repo, '.dependency-cruiser.cjs'), join(tree, '.dependency-cruiser.cjs'));
  cpSync(join(repo, 'package.json'), join(tree, 'package.json'));
  symlinkSync(join(repo, 'node_modules'), join(tree, 'node_modules'));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    writeFileSync(join(tree, file), text);
  }
  return tree;
}

function cruise(tree: string): { summary: { violations: { rule: { name: string } }[] } } {
  const args = ['src', '--config', '.dependency-cruiser.cjs', '--output-type', 'json'];
  const report = execFileSync(join(repo, 'node_modules', '.bin', 'depcruise'), args, {
    cwd: tree,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(report) as ReturnType<typeof cruise>;
}

const pathBetween = (from: string, to: string) => `./${relative(dirname(from), to)}`;

describe('the layering rules', () => {
  it('each fires on a planted violation', { timeout: 60_000 }, () => {
    const files: Record<string, string> = {};
    for (const { from, imports, specifier } of PLANTED) {
      files[from] = `${files[from] ?? ''}import '${specifier ?? pathBetween(from, imports)}';\n`;
      if (imports !== '') files[imports] ??= 'export {};\n';
    }
    files['src/domain/a.ts'] = `import type { B } from './b.ts';\nexport type A = B;\n`;
    files['src/domain/b.ts'] = `import type { A } from './a.ts';\nexport type B = A;\n`;
    const fired = new Set(cruise(plant(files)).summary.violations.map(({ rule }) => rule.name));
    expect([...fired].toSorted()).toEqual([...PLANTED.map(({ rule }) => rule), 'no-cycles'].toSorted());
  });

  it('a lazily imported layer is seen as well', { timeout: 60_000 }, () => {
    const tree = plant({
      'src/domain/bad.ts': `export const load = async () => import('../etcd/port.ts');\n`,
      'src/etcd/port.ts': 'export {};\n',
    });
    expect(cruise(tree).summary.violations.map(({ rule }) => rule.name)).toEqual(['domain-is-pure']);
  });
});
