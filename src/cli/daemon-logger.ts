import type { Logger } from 'pino';

/** Where the daemons' logs go: JSON lines on stderr, with anything that smells of a secret taken out. */
export async function daemonLogger(options: {
  readonly name: string;
  readonly debug: boolean;
}): Promise<Logger> {
  const { destination, pino, stdTimeFunctions } = await import('pino');
  const stderr = destination({ dest: 2, sync: true });
  // A log that can't be written, on a full disk, must not end the daemon that writes it.
  stderr.on('error', () => undefined);
  return pino(
    {
      name: options.name,
      level: options.debug ? 'debug' : (process.env['CAPSTAN_LOG_LEVEL'] ?? 'info'),
      timestamp: stdTimeFunctions.isoTime,
      redact: {
        paths: ['password', '*.password', 'authorization', '*.authorization', '*.headers.authorization'],
        censor: '***',
      },
    },
    stderr,
  );
}
