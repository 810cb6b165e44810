import { defineConfig } from 'vitest/config';

const shared = { globals: false, restoreMocks: true } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: { ...shared, name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 10_000 },
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
          globalSetup: ['test/support/leak-guard.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // A sandbox mostly waits too; two of them leave each what its clocks need.
          maxWorkers: 2,
        },
      },
    ],
  },
});
