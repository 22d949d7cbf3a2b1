import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Tests meet the packages under their published names, but run the sources: no build in between.
const alias = [
  { find: /^@bpfskel\/runtime$/, replacement: source('runtime/src/index.ts') },
  { find: /^@bpfskel\/runtime\/codegen\/v1$/, replacement: source('runtime/src/codegen/v1.ts') },
  { find: /^@bpfskel\/runtime\/inspect$/, replacement: source('runtime/src/inspect.ts') },
  { find: /^@bpfskel\/runtime\/testing$/, replacement: source('runtime/src/testing/index.ts') },
];

export default defineConfig({
  resolve: { alias },
  test: {
    // By default one core is left idle, which on two is half of the machine.
    maxWorkers: '100%',
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: ['test/{unit,golden}/**/*.test.ts', 'test/*.test.ts'],
          testTimeout: 20_000,
          // Files share one process a core: loading the sources again for each takes longer than most of the tests.
          isolate: false,
        },
      },
      {
        resolve: { alias },
        test: {
          // Needs no more than the unit tests, but time: for the compiler, for random input, for many processes.
          name: 'thorough',
          include: ['test/{types,fuzz,cli,space}/**/*.test.ts'],
          testTimeout: 60_000,
          isolate: false,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'kernel',
          include: ['test/kernel/**/*.test.ts'],
          // One process at a time: these tests look at what the kernel holds.
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          // What only a kernel of our own configuration has: test/vm/run.sh -k built.
          name: 'kernel-built',
          include: ['test/kernel-built/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
        },
      },
    ],
  },
});
