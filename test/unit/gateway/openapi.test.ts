import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openApiDocument } from '../../../src/gateway/openapi.ts';
import { PROBLEM_CODES } from '../../../src/gateway/problem.ts';

const text = `${JSON.stringify(openApiDocument('0.0.0'), null, 2)}\n`;
const document = JSON.parse(text) as Record<string, unknown>;

function every(value: unknown, key: string): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, part]) => [
    ...(name === key ? [part] : []),
    ...every(part, key),
  ]);
}
const at = (pointer: string): unknown =>
  pointer
    .slice(2)
    .split('/')
    .reduce<unknown>((part, name) => (part as Record<string, unknown> | undefined)?.[name], document);

describe('the OpenAPI document', () => {
  it('changes only with its snapshot', async () => {
    await expect(text).toMatchFileSnapshot(join(import.meta.dirname, '../../contract/openapi.json'));
  });

  it('refers to nothing that it lacks', () => {
    const refs = every(document, '$ref');
    expect(refs.length).toBeGreaterThan(20);
    for (const ref of refs) expect(at(String(ref))).toBeDefined();
  });

  it('names each operation once, and each path parameter that a path has', () => {
    const operations = every(document, 'operationId');
    expect(new Set(operations).size).toBe(operations.length);
    const paths = document['paths'] as Record<
      string,
      Record<string, { parameters?: { name: string; in: string }[] }>
    >;
    for (const [path, methods] of Object.entries(paths)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      for (const { parameters = [] } of Object.values(methods)) {
        const declared = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
        expect([path, ...declared]).toEqual([path, ...inPath]);
      }
    }
  });

  it('lists every problem code', () => {
    expect(at('#/components/schemas/Problem/properties/code/enum')).toEqual(PROBLEM_CODES);
  });
});
