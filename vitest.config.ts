import { defineConfig } from 'vitest/config';

/** A suite is a folder under test/; the runner in scripts/test.ts decides which run side by side. */
function suite(name: string, timeouts: { test: number; hook: number }, fileParallelism: boolean) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: timeouts.test,
      hookTimeout: timeouts.hook,
      fileParallelism,
    },
  };
}

export default defineConfig({
  test: {
    environment: 'node',
    pool: 'forks',
    // By itself it leaves one processor idle, which on a small machine is half of them.
    maxWorkers: '100%',
    projects: [
      suite('unit', { test: 20_000, hook: 60_000 }, true),
      suite('contract', { test: 20_000, hook: 60_000 }, true),
      suite('fault', { test: 120_000, hook: 60_000 }, true),
      // Real devices, real sudo, throttles: one file at a time, so that none disturbs the other's clock.
      suite('device', { test: 120_000, hook: 120_000 }, false),
      // A software-emulated machine boots in there.
      suite('guest', { test: 1_800_000, hook: 900_000 }, false),
    ],
  },
});
