import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openCheckpoint, writeSafetensors } from "../../src/checkpoint/index.js";
import { adapter, cli, cliOk, png, scratch, sentence } from "../support/cli.js";

const cwd = scratch()("work");
mkdirSync(cwd, { recursive: true });
const SHORT = ["--steps", "4", "--runs", "2", "--json", ...adapter];

async function tensors(path: string): Promise<Record<string, Float32Array>> {
  const file = await openCheckpoint(join(cwd, path));
  const values: Record<string, Float32Array> = {};
  for (const name of file.tensors.keys()) values[name] = await file.readF32(name);
  await file.close();
  return values;
}

describe("more tasks of restore", () => {
  test("a measurement of a picture from 0 to 1 says so, and is restored as that of the same picture from -1 to 1", async () => {
    const task = ["--task", "hadamard", "--ratio", "8"];
    await cliOk(["restore", ...task, "--images", "0", "--outdir", "clean", ...SHORT], { cwd });
    const { measurement: y, samples } = await tensors("clean/000000/values.safetensors");
    expect(y!.length).toBe(128);
    // The first row of the transform sums the picture: that of ones is 1024 / 32.
    const data = y!.map((v, i) => (v + (i === 0 ? 32 : 0)) / 2);
    const tensor = { name: "measurement", dtype: "F32", shape: [1, 128], data };
    writeFileSync(join(cwd, "000000.safetensors"), writeSafetensors([tensor], { value_range: "[0,1]" }));
    await cliOk(["restore", ...task, "--measurement", "000000.safetensors", "--outdir", "real", ...SHORT], { cwd });
    const again = await tensors("real/000000/values.safetensors");
    for (const [i, v] of y!.entries()) expect(again.measurement![i]).toBeCloseTo(v, 4);
    let worst = 0;
    for (const [i, v] of samples!.entries()) worst = Math.max(worst, Math.abs(v - again.samples![i]!));
    expect(worst).toBeLessThan(2e-3);
    expect(png(join(cwd, "real/000000/measurement.png"))).toMatchObject({ width: 32, height: 32 });
  });

  test("a geometry beside a measurement is the scanner's, and steps by conjugate gradients stop where they are told", async () => {
    const angles = [0, 0.6, 1.2, 1.8, 2.4, 3];
    const data = new Float32Array(6 * 33).fill(-5);
    const tensor = { name: "measurement", dtype: "F32", shape: [6, 33], data };
    const geometry = JSON.stringify({ geometry: "parallel", angles, detectors: 33 });
    writeFileSync(join(cwd, "scan.safetensors"), writeSafetensors([tensor], { geometry }));
    const cg = ["--cg-iterations", "7", "--cg-tolerance", "0.1"];
    const args = ["--task", "tomography", "--measurement", "scan.safetensors", ...cg, "--outdir", "scan"];
    await cliOk(["restore", ...args, ...SHORT], { cwd });
    const metrics = JSON.parse(readFileSync(join(cwd, "scan/metrics.json"), "utf8"));
    expect(metrics.description).toBe("6 projections of 33 parallel rays");
    expect(metrics.options).toMatchObject({ cgIterations: 7, cgTolerance: 0.1, sigmaY: 0.2 });
    expect(metrics.images.scan.samples[0].capped).toBeGreaterThan(0);
  });

  test.each([
    ["another task's option", "--task mri --angles 4", /--angles is for tomography, not for mri/],
    ["numbers that are none", "--task outpainting --known 1,2,x,4", /--known "x": must be/],
    ["too few numbers", "--task outpainting --known 1,2,3", /--known "1,2,3": must be 4 numbers/],
    ["two ways to say it", "--task mri --mask m.npy --acceleration 4", /--mask names the mask: leave --acceleration/],
  ])("%s is one sentence", async (_, line, message) => {
    const refused = await cli(["restore", ...line.split(" "), ...adapter], { cwd });
    expect(refused.code).toBe(2);
    expect(sentence(refused)).toMatch(message);
  });
});
