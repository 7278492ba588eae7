import { configDefaults, defineConfig } from "vitest/config";
// @ts-expect-error: a script without types
import { wgslPlugin } from "./scripts/wgsl.mjs";

/** Files that measure time, wait for a moment of a running command, or build the package: nothing runs beside them. */
const ALONE = [
  "test/bench/**/*.test.ts",
  "test/measure/**/*.test.ts",
  "test/cli/bench.test.ts",
  "test/cli/interrupt.test.ts",
  "test/cli/tune.test.ts",
  "test/graph/profile.test.ts",
  "test/networks/arguments.test.ts",
  "test/package.test.ts",
  "test/runs/interrupt.test.ts",
  "test/browser.test.ts",
  "test/web.test.ts",
];
const ALL = ["test/**/*.test.ts"];

export default defineConfig({
  plugins: [wgslPlugin],
  test: {
    pool: "forks",
    // A developer's own tuned choices would change which loops are tested.
    env: { NCVSD_TUNING: "off" },
    testTimeout: 240_000,
    hookTimeout: 240_000,
    projects: [
      // The software adapter uses every core, but half of the tests' time goes to commands in processes of their own, which use one.
      {
        extends: true,
        test: { name: "shared", include: ALL, exclude: [...configDefaults.exclude, ...ALONE], maxWorkers: 2 },
      },
      { extends: true, test: { name: "alone", include: ALONE, fileParallelism: false, sequence: { groupOrder: 1 } } },
    ],
  },
});
