type Log = (facts: Readonly<Record<string, unknown>>, message: string) => void;

/** What the agent needs of pino, so that a test can listen. */
export interface AgentLogger {
  readonly info: Log;
  readonly warn: Log;
  readonly error: Log;
  readonly debug: Log;
}
