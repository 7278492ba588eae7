import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { NcvsdError } from "../../src/errors.js";
import { loadModel } from "../../src/networks/edm2/model.js";
import { BatchSize } from "../../src/runs/batch-size.js";
import { generate, readImages } from "../../src/runs/generate.js";
import { fixturePath } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

it("a size that nobody asked for is halved until the work fits; one that was asked for, and other errors, stay", async () => {
  const fits = (most: number) => async (some: readonly number[]) => {
    if (some.length > most) throw new NcvsdError("OUT_OF_MEMORY", "too many");
    return some.length;
  };
  const items = Array.from({ length: 20 }, (_, i) => i);
  const size = new BatchSize(16, false);
  expect(await size.next(items, 3, fits(5))).toEqual({ some: [3, 4, 5, 6], result: 4 });
  expect((await size.next(items, 18, fits(5))).some).toEqual([18, 19]);
  expect(size.now).toBe(4);
  await expect(size.next(items, 0, fits(0))).rejects.toThrow("too many");
  await expect(new BatchSize(16, true).next(items, 0, fits(5))).rejects.toThrow("too many");
  const other = new BatchSize(16, false);
  await expect(other.next(items, 0, () => Promise.reject(new Error("other")))).rejects.toThrow("other");
  expect(other.now).toBe(16);
});

it("images of a guided run in memory for few of them are those of a run with room", async () => {
  const net = fixturePath("edm2-tiny.safetensors");
  const made = async (memoryLimit?: number) => {
    const gpu = await openTestGpu(memoryLimit === undefined ? {} : { memoryLimit });
    const outdir = mkdtempSync(join(tmpdir(), "ncvsd-batch-"));
    try {
      const [model, guide] = [await loadModel(gpu, net), await loadModel(gpu, net)];
      const { activationBytes, externalBytes } = model.planFor(8).plan;
      const room = gpu.allocatedBytes + 1.4 * (activationBytes + externalBytes);
      const batch = new BatchSize(8, false);
      const seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8];
      const settings = { steps: 2, gnet: guide, guidance: 2 };
      const { samplers } = await import("../../src/sample/samplers.js");
      const sampler = { name: "heun" as const, settings: { ...samplers.heun.settings, ...settings } };
      const labels = model.labelDim > 0 ? seeds.map(() => 0) : undefined;
      const run = { options: {}, checkpointSha256: "0".repeat(64), command: [], silent: true };
      await generate({ model, seeds, labels, sampler, batch, outdir, ...run });
      return { room, size: batch.now, images: readImages(outdir, seeds) };
    } finally {
      gpu.close();
      rmSync(outdir, { recursive: true });
    }
  };
  const wide = await made();
  const narrow = await made(Math.floor(wide.room));
  expect([wide.size, narrow.size < 8]).toEqual([8, true]);
  expect(narrow.images).toEqual(wide.images);
});
