import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addressFrom } from '../../../src/config/address-from.ts';
import { loadEstateConfig } from '../../../src/config/estate-config.ts';
import { estateYaml, etcdEndpoints } from '../../../src/sandbox/estate-file.ts';
import {
  memberNodesOf,
  memberPortNames,
  nodesOf,
  portNames,
  routesOf,
  type SandboxState,
} from '../../../src/sandbox/state.ts';
import { CLUSTERS, nextMember } from '../../../src/sandbox/topology.ts';

const names = portNames({ memberLinks: true });
const state: SandboxState = {
  version: 1,
  name: 'demo',
  createdAt: '2026-01-01T00:00:00.000Z',
  wanDelayMs: 0,
  ports: Object.fromEntries(names.map((name, index) => [name, 20_000 + index])),
};

test('the generated capstan.yaml is an estate like any other', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-unit-'));
  try {
    const file = join(folder, 'capstan.yaml');
    await writeFile(file, estateYaml(state));
    const config = await loadEstateConfig(file);
    expect(Object.keys(config.clusters)).toEqual(['c1', 'c2']);
    expect(config.clusters['c1']?.members['c1-madrid-1']).toMatchObject({
      region: 'madrid',
      role: 'observer',
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('whoever is in another region reaches a member through the link, and its own region directly', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-unit-'));
  try {
    const file = join(folder, 'capstan.yaml');
    await writeFile(file, estateYaml(state));
    const member = (await loadEstateConfig(file)).clusters['c1']?.members['c1-new-york-1'];
    if (member === undefined) throw new Error('c1-new-york-1 is missing');
    const linked = routesOf(state).map(({ listenPort }) => `127.0.0.1:${listenPort}`);
    expect(addressFrom(member.address, 'new-york')).toBe(member.listen);
    expect(linked).not.toContain(addressFrom(member.address, 'new-york'));
    expect(linked).toContain(addressFrom(member.address, 'madrid'));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a member reaches etcd and the members beside it by links of its own, if it has some', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'capstan-unit-'));
  const plain = { ...state, ports: {} as Record<string, number> };
  for (const name of portNames({ memberLinks: false })) plain.ports[name] = state.ports[name] ?? 0;
  try {
    const seen: string[][] = [];
    for (const [index, one] of [state, plain].entries()) {
      const file = join(folder, `${index}.yaml`);
      await writeFile(file, estateYaml(one));
      const { etcd, clusters } = await loadEstateConfig(file);
      const viewpoint = ['c1-new-york-2', 'new-york'];
      const leader = clusters['c1']?.members['c1-new-york-1'];
      const own = new Set(
        routesOf(one).flatMap(({ from, listenPort }) => (from === 'c1-new-york-2' ? [`${listenPort}`] : [])),
      );
      const asked = [
        ...addressFrom(etcd.endpoints, viewpoint),
        addressFrom(leader?.address ?? {}, viewpoint),
      ];
      seen.push(asked.filter((url) => own.has(url.slice(url.lastIndexOf(':') + 1))));
    }
    expect(seen.map(({ length }) => length)).toEqual([4, 0]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a region's own etcd comes first, and only that one is reached directly", () => {
  const linked = new Set(routesOf(state).map(({ listenPort }) => `http://127.0.0.1:${listenPort}`));
  for (const region of ['new-york', 'madrid'] as const) {
    const [own, ...others] = etcdEndpoints(state, region);
    expect(linked.has(own ?? '')).toBe(false);
    expect(others.map((url) => linked.has(url))).toEqual([true, true]);
  }
});

test('a further member is in the estate and on the link, under the next free name', async () => {
  const [c1] = CLUSTERS;
  if (c1 === undefined) throw new Error('the sandbox has no cluster');
  const near = nextMember(c1, 'new-york', memberNodesOf(state));
  const far = nextMember(c1, 'madrid', [...memberNodesOf(state), near]);
  expect([near, far]).toMatchObject([
    { name: 'c1-new-york-3', role: 'voter' },
    { name: 'c1-madrid-2', role: 'observer' },
  ]);
  const furtherMembers = [near, far];
  const ports = [
    ...memberPortNames(near, state),
    ...memberPortNames(far, { ...state, furtherMembers: [near] }),
  ].map((name, index) => [name, 21_000 + index] as const);
  const grown = { ...state, furtherMembers, ports: { ...state.ports, ...Object.fromEntries(ports) } };
  const folder = await mkdtemp(join(tmpdir(), 'capstan-unit-'));
  try {
    const file = join(folder, 'capstan.yaml');
    await writeFile(file, estateYaml(grown));
    const members = (await loadEstateConfig(file)).clusters['c1']?.members ?? {};
    expect(Object.keys(members)).toEqual(expect.arrayContaining(['c1-new-york-3', 'c1-madrid-2']));
    const linked = routesOf(grown).map(({ listenPort }) => `127.0.0.1:${listenPort}`);
    expect(linked).toContain(members['c1-madrid-2']?.address['new-york']);
    expect(nodesOf(grown).map(({ name }) => name)).toEqual(expect.arrayContaining([near.name, far.name]));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('no port is used twice', () => {
  expect(new Set(names).size).toBe(names.length);
});

test('a sandbox that was made before there were projections has none of it, and is an estate all the same', async () => {
  const ports = Object.fromEntries(
    Object.entries(state.ports).filter(([name]) => !name.startsWith('projections/')),
  );
  const old = { ...state, ports };
  expect(nodesOf(old).filter(({ kind }) => kind === 'projections' || kind === 'projector')).toEqual([]);
  expect(nodesOf(state).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['projections', 'projector-new-york', 'projector-madrid']),
  );
  expect(routesOf(old).map(({ label }) => label)).not.toContain('projections');
  const folder = await mkdtemp(join(tmpdir(), 'capstan-unit-'));
  try {
    const file = join(folder, 'capstan.yaml');
    await writeFile(file, estateYaml(old));
    expect(await loadEstateConfig(file)).toMatchObject({ projectors: {} });
    await writeFile(file, estateYaml(state));
    expect(Object.keys((await loadEstateConfig(file)).projectors)).toEqual(['new-york', 'madrid']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
