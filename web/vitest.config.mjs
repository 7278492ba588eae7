// `npm run web:test`: everything that the page promises, in a real browser. Longer than the suite's short test of it.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { wgslPlugin } from "../scripts/wgsl.mjs";

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  plugins: [wgslPlugin],
  test: {
    include: ["test/web/*.web.ts"],
    pool: "forks",
    fileParallelism: false,
    env: { NCVSD_TUNING: "off" },
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
