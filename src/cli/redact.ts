const RULES: readonly [RegExp, string][] = [
  [/(\w+:\/\/[^\s:/@]+):[^\s@/]+@/g, '$1:***@'],
  [/\b(password|passwd|secret|pgpassword|api[_-]?key)(["']?\s*[=:]\s*["']?)[^\s"',;&]+/gi, '$1$2***'],
  [/\b(Bearer)\s+[A-Za-z0-9._~+/-]{8,}=*/g, '$1 ***'],
];

/** Takes credentials out of text that was made elsewhere (drivers put connection strings into messages). */
export function redact(text: string): string {
  return RULES.reduce((current, [pattern, replacement]) => current.replace(pattern, replacement), text);
}
