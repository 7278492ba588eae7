import { defineConfig } from "vitest/config";
// @ts-expect-error: a script without types
import { wgslPlugin } from "./scripts/wgsl.mjs";

export default defineConfig({
  plugins: [wgslPlugin],
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    // The software adapter uses every core itself: one test file at a time.
    fileParallelism: false,
    // A developer's own tuned choices would change which loops are tested.
    env: { NCVSD_TUNING: "off" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
