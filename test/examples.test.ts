import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { filesIn, run, scratch } from "./support/cli.js";
import { TEST_ADAPTER } from "./support/gpu.js";

const place = scratch();
const examples = fileURLToPath(new URL("../examples", import.meta.url));
const SAYS: Record<string, RegExp> = {
  "inverse.mjs": /^PSNR \d+\.\d dB\n$/,
  "node.mjs": /^10 pictures of 1x32x32 in /,
  "worker.mjs": /^step 1\nstep 2\n2x1x32x32, 2048 values\n$/,
};

describe("every example of Node runs as it stands:", () => {
  it("there is one for each", () => {
    expect(readdirSync(examples).filter((name) => name.endsWith(".mjs"))).toEqual(Object.keys(SAYS));
  });
  for (const [name, says] of Object.entries(SAYS)) {
    it(name, async () => {
      const folder = place("pictures");
      const env = TEST_ADAPTER ? { ADAPTER: TEST_ADAPTER } : {};
      const result = await run(process.execPath, [`${examples}/${name}`, folder], { env });
      expect(result.code, result.stderr).toBe(0);
      expect(result.stdout).toMatch(says);
      if (name === "node.mjs") expect(filesIn(folder)).toHaveLength(10);
    });
  }
});
