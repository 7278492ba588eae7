import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    {
      // The build turns kernel.wgsl into kernel.wgsl.js (scripts/build.mjs); tests read the WGSL file itself.
      name: "wgsl",
      enforce: "pre",
      resolveId(id, importer) {
        if (!id.endsWith(".wgsl.js") || !importer) return null;
        return new URL(id.slice(0, -3), `file://${importer}`).pathname.concat("?wgsl");
      },
      load(id) {
        if (!id.endsWith(".wgsl?wgsl")) return null;
        return `export default ${JSON.stringify(readFileSync(id.slice(0, -5), "utf8"))};`;
      },
    },
  ],
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
