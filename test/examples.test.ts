import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { filesIn, png, run, scratch } from "./support/cli.js";
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

  const deno = spawnSync("deno", ["--version"]).status === 0;
  if (!deno)
    console.warn("No Deno on the PATH: not tested here (npx -p deno vitest run test/examples.test.ts has one).");
  it.runIf(deno)("and of Deno, by its own WebGPU, to the same pictures", async ({ skip }) => {
    const probe = await run("deno", ["eval", "console.log(Boolean(await navigator.gpu.requestAdapter()))"]);
    if (probe.stdout !== "true\n") skip("Deno finds no adapter here: the driver is not one of the system.");
    const result = await run("deno", ["run", "-A", `${examples}/node.mjs`, place("deno")]);
    expect(result.code, result.stderr).toBe(0);
    const names = filesIn(place("deno"));
    expect(names).toHaveLength(10);
    for (const name of names) {
      const [theirs, ours] = ["deno", "pictures"].map((folder) => png(join(place(folder), name)).data);
      expect(Math.max(...theirs!.map((value, i) => Math.abs(value - ours![i]!))), name).toBeLessThanOrEqual(1);
    }
  });
});
