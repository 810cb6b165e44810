import { defineConfig } from 'vitest/config';

/** `npm run prove` runs them too: what they show at the command line, the integration tests show below it. */
const PROVED_ONLY = ['test/e2e/membership.test.ts', 'test/e2e/rejoin.test.ts'];

const shared = { globals: false, restoreMocks: true } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 10_000,
          // Left to itself, a machine of two cores would use one.
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...shared,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/leak-guard.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // They mostly wait for clocks and processes of their own, so two files side by side take half the time.
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...shared,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: process.env['CAPSTAN_PROVE'] === '1' ? [] : PROVED_ONLY,
          globalSetup: ['test/support/leak-guard.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // A sandbox at rest takes most of one core: beside another its clocks would not get what they need.
          maxWorkers: 1,
        },
      },
    ],
  },
});
