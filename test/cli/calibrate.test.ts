import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { adapter, cli, scratch } from "../support/cli.js";

const place = scratch();

describe("calibrate", () => {
  it("writes its page and its figures, the same twice", async () => {
    const args = ["calibrate", "--prior", "gmm", "--shape", "1,4,4", "--task", "box_inpainting", "--sigma-y", "0.2"];
    const few = ["--cases", "10", "--runs", "9", "--sampler", "pnp-gd:steps=8,pnp-gd:calibrated:steps=8", "--json"];
    const out = place("calibration");
    const page = place("page.html");
    const first = await cli([...args, ...few, "--outdir", out, "--out", page, ...adapter]);
    expect(first.stderr).toBe("");
    expect(first.code).toBe(0);
    const found = JSON.parse(first.stdout);
    expect(found).toMatchObject({ tool: "ncvsd-gpu", task: "box_inpainting", cases: 10, runs: 9, outdir: out });
    expect(found.entries.map((entry: { label: string }) => entry.label)).toEqual([
      "pnp-gd steps=8",
      "pnp-gd calibrated steps=8",
    ]);
    expect(found.entries[0].evaluations).toBe(7);
    // Four, eight and sixteen levels.
    for (const { curve } of found.entries)
      expect(curve.map((point: { evaluations: number }) => point.evaluations)).toEqual([3, 7, 15]);
    expect(found.control.judgement.hpd["50"].expected).toBeCloseTo(0.5, 12);
    expect(readFileSync(page, "utf8")).toBe(readFileSync(join(out, "calibration.html"), "utf8"));
    expect(JSON.parse(readFileSync(join(out, "calibration.json"), "utf8")).entries).toEqual(found.entries);

    const again = await cli([...args, ...few, "--no-curve", "--outdir", place("again"), ...adapter]);
    const other = JSON.parse(again.stdout);
    expect(other.control).toEqual(found.control);
    expect(other.entries[1].judgement).toEqual(found.entries[1].judgement);
  });

  it("says what is wrong before it samples", async () => {
    const task = ["--task", "box_inpainting"];
    for (const [args, says] of [
      [["--prior", "mixture"], /name a task with --task/],
      [["--prior", "dataset", "--mixture", "x", ...task], /--mixture is for --prior mixture/],
      [["--prior", "mixture", "--sampler", "pnp", ...task], /--sampler "pnp" is not known/],
      [["--prior", "mixture", "--sampler", "diffpir:steps=9:wide=2", ...task], /has no setting "wide"/],
      [["--prior", "mixture", "--task", "phase_retrieval"], /linear measurements only/],
    ] as const) {
      const out = place("none");
      const { code, stderr } = await cli(["calibrate", ...args, "--quiet", "--outdir", out, ...adapter]);
      expect(stderr).toMatch(says);
      expect(code).toBe(2);
      expect(existsSync(out)).toBe(false);
    }
  });
});
