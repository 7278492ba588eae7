import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adapter, cli, scratch } from "../support/cli.js";
import { weightsPath } from "../support/fixtures.js";

const place = scratch();
const bundled = weightsPath("ncvsd-fashion32.safetensors");

describe("--dry-run", () => {
  it("says what a run of sample would take, and makes nothing", async () => {
    const outdir = place("none");
    const args = [
      "sample",
      "--net",
      bundled,
      "--ts",
      "0,16",
      "--seeds",
      "0-3",
      "--outdir",
      outdir,
      "--dry-run",
      "--json",
    ];
    const { code, stdout, stderr } = await cli([...args, ...adapter]);
    expect(code, stderr).toBe(0);
    const facts = JSON.parse(stdout);
    expect(facts).toMatchObject({ dryRun: true, architecture: "ncvsd", images: 4, batch: 4, evaluations: 2 });
    expect(facts).toMatchObject({ shape: [1, 32, 32], tooLarge: null, layersInParts: 0, memory: { fits: true } });
    const { weightBytes, activationBytes, peakBytes } = facts.memory;
    expect(peakBytes).toBeGreaterThan(weightBytes + activationBytes);
    expect(facts.seconds).toBeCloseTo(8 * facts.secondsPerEvaluation, 6);
    // One of the smallest networks there are: a millisecond at the least, and no minute even where nine others work.
    expect(facts.secondsPerEvaluation).toBeGreaterThan(1e-4);
    expect(facts.secondsPerEvaluation).toBeLessThan(60);
    expect(existsSync(outdir)).toBe(false);
  });

  it("knows a published network by its name, fetches nothing, and says which layers are in parts", async () => {
    // Nobody listens there.
    const env = { HF_ENDPOINT: "http://127.0.0.1:9", NCVSD_MODELS: place("models") };
    const data = weightsPath("fashion32-test64.safetensors");
    const wrong = ["restore", "--net", "ncvsd-ffhq256-xs", "--task", "super_resolution", "--data", data, "--dry-run"];
    const refused = await cli([...wrong, ...adapter], { env });
    expect(refused.code, refused.stderr).toBe(2);
    expect(refused.stderr).toContain("256x256");
    const args = ["sample", "--net", "ncvsd-ffhq256-xs", "--seeds", "0", "--precision", "f16-weights", "--dry-run"];
    const { code, stdout, stderr } = await cli([...args, "--outdir", place("none"), ...adapter], { env });
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("ncvsd-ffhq256-xs (ncvsd), 146 M parameters, 3x256x256");
    expect(stdout).toMatch(/^layers {4}\d+ in parts/m);
    expect(stdout).toMatch(/^(time {6}about|.*it does not fit)/m);
    expect(stdout).toContain("Nothing was made.");
  });
});

describe("restore", () => {
  const task = ["restore", "--task", "box_inpainting", "--images", "0", "--runs", "1", "--steps", "1"];
  it("--sha256 refuses another file, here too; --offline asks no server", async () => {
    const sum = "0".repeat(64);
    const own = await cli([...task, "--net", bundled, "--sha256", sum, "--outdir", place("x"), ...adapter]);
    expect(own.code).toBe(1);
    expect(own.stderr).toContain(`where ${sum} is expected`);
    const other = await cli([
      ...task,
      "--net",
      "hf://a/b/c.safetensors",
      "--offline",
      "--outdir",
      place("x"),
      ...adapter,
    ]);
    expect(other.code).toBe(1);
    expect(other.stderr).toContain("is not kept on this machine");
  });
});
