import { describe, expect, test } from 'vitest';
import { envelopeError, envelopeOf } from '../../../src/cli/envelope.ts';
import { redact } from '../../../src/cli/redact.ts';
import { refusedError } from '../../../src/domain/errors.ts';

describe('an envelope', () => {
  test('has every key, also when there is nothing to say', () => {
    expect(envelopeOf({ kind: 'Status', data: undefined })).toEqual({
      apiVersion: 'capstan.dev/v1',
      kind: 'Status',
      ok: true,
      data: null,
      warnings: [],
      error: null,
    });
  });

  test('carries a bigint as a string and an undefined field as null', () => {
    const { data } = envelopeOf({ kind: 'X', data: { position: 9_007_199_254_740_993n, head: undefined } });
    expect(data).toEqual({ position: '9007199254740993', head: null });
  });

  test('is not ok exactly when it carries an error', () => {
    const error = envelopeError(refusedError('no', { code: 'plan_drifted' }), { exit: 4, debug: false });
    expect(envelopeOf({ kind: 'X', data: { kept: true }, error })).toMatchObject({
      ok: false,
      data: { kept: true },
      error: { code: 'plan_drifted', exit: 4, retryable: false, next: null, data: {}, stack: null },
    });
  });

  test('shows a stack with its causes on request only', () => {
    const failure = refusedError('outer', { code: 'x', cause: new Error('inner') });
    expect(envelopeError(failure, { exit: 4, debug: false }).stack).toBeNull();
    expect(envelopeError(failure, { exit: 4, debug: true }).stack).toMatch(
      /outer[\s\S]*caused by Error: inner/,
    );
  });
});

describe('text that was made elsewhere', () => {
  test.each([
    ['postgresql://capstan_agent:s3cr3t@host:5432/capstan', 's3cr3t'],
    ['password=hunter2 host=db', 'hunter2'],
    ['{"password":"hunter2"}', 'hunter2'],
    ['authorization: Bearer capstan_abcdefghij', 'capstan_abcdefghij'],
  ])('loses its secret: %s', (text, secret) => {
    expect(redact(text)).not.toContain(secret);
  });

  test('keeps what is no secret', () => {
    const text = 'token tok-77 of MUNI-77 at http://127.0.0.1:2379';
    expect(redact(text)).toBe(text);
  });
});
