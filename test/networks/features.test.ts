import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCheckpoint, writeSafetensors } from "../../src/checkpoint/index.js";
import type { Gpu } from "../../src/gpu/device.js";
import { fromByte } from "../../src/image/pixels.js";
import { FeatureExtractor } from "../../src/networks/features/extractor.js";
import { relativeError, weightsPath } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";

const file = weightsPath("fashion32-features.safetensors");
const test64 = await openCheckpoint(weightsPath("fashion32-test64.safetensors"));
const images = Float32Array.from(await test64.readBytes("images"), fromByte);
const labels = await test64.readBytes("labels");
await test64.close();
const PIXELS = 32 * 32;

/** The classifier in float64 by plain loops over [channels][size * size], from its description in the checkpoint's metadata. */
async function reference(image: Float32Array): Promise<{ features: Float64Array; logits: Float64Array }> {
  const net = await openCheckpoint(file);
  const load = async (name: string) => ({
    w: await net.readF32(`${name}.weight`),
    b: await net.readF32(`${name}.bias`),
  });
  let x: ArrayLike<number> = image;
  let [channels, size] = [1, 32];
  for (const name of ["conv1", "conv2", "conv3"]) {
    const { w, b } = await load(name);
    const out = new Float64Array((b.length * size * size) / 4).fill(-Infinity);
    for (let o = 0; o < b.length; o++) {
      for (let row = 0; row < size; row++) {
        for (let col = 0; col < size; col++) {
          let sum = b[o]!;
          for (let i = 0; i < channels; i++) {
            for (let k = 0; k < 9; k++) {
              const [y, xx] = [row + Math.floor(k / 3) - 1, col + (k % 3) - 1];
              if (y < 0 || y >= size || xx < 0 || xx >= size) continue;
              sum += w[(o * channels + i) * 9 + k]! * x[(i * size + y) * size + xx]!;
            }
          }
          const to = (o * (size / 2) + (row >> 1)) * (size / 2) + (col >> 1);
          out[to] = Math.max(out[to]!, sum, 0);
        }
      }
    }
    [x, channels, size] = [out, b.length, size / 2];
  }
  const linear = (v: ArrayLike<number>, { w, b }: { w: Float32Array; b: Float32Array }) =>
    Float64Array.from(b, (bias, o) => {
      let sum = bias;
      for (let i = 0; i < v.length; i++) sum += w[o * v.length + i]! * v[i]!;
      return sum;
    });
  const features = linear(x, await load("fc1"));
  const logits = linear(
    features.map((v) => Math.max(v, 0)),
    await load("fc2"),
  );
  await net.close();
  return { features, logits };
}

describe("the bundled feature network", () => {
  let gpu: Gpu;
  let extractor: FeatureExtractor;
  beforeAll(async () => {
    gpu = await openTestGpu();
    extractor = await FeatureExtractor.open(gpu, file);
  });
  afterAll(() => gpu.close());

  it("is what its description says: features and classes as in float64", async () => {
    const few = [0, 9, 23, 63];
    const { features, predictions } = await extractor.extract(
      Float32Array.from(few.flatMap((n) => [...images.subarray(n * PIXELS, (n + 1) * PIXELS)])),
    );
    for (const [i, n] of few.entries()) {
      const ref = await reference(images.subarray(n * PIXELS, (n + 1) * PIXELS));
      expect(relativeError(features.subarray(i * 64, (i + 1) * 64), ref.features)).toBeLessThan(2e-6);
      expect(predictions![i]).toBe(ref.logits.indexOf(Math.max(...ref.logits)));
    }
  });

  it("knows held-out test images as well as its model card says: 92% of 10,000", async () => {
    const { predictions } = await extractor.extract(images);
    const right = labels.filter((label, i) => label === predictions![i]).length;
    // 64 images: 58.9 expected, standard deviation 2.2.
    expect(right).toBeGreaterThanOrEqual(54);
    expect(extractor.labels![9]).toBe("Ankle boot");
  });

  it("gives an image the same bits whatever the batch", async () => {
    const whole = (await extractor.extract(images)).features;
    for (const [from, to] of [
      [0, 1],
      [1, 8],
      [8, 64],
    ] as const) {
      const part = (await extractor.extract(images.subarray(from * PIXELS, to * PIXELS))).features;
      expect(part).toEqual(whole.subarray(from * 64, to * 64));
    }
  });

  it("holds no more GPU memory after many batches of different sizes", async () => {
    for (const n of [1, 2, 3]) await extractor.extract(images.subarray(0, n * PIXELS));
    const before = gpu.allocatedBytes;
    for (const n of [5, 4, 3, 2, 1, 3]) await extractor.extract(images.subarray(0, n * PIXELS));
    await extractor.extract(images.subarray(0, 2 * PIXELS));
    expect(gpu.allocatedBytes).toBeLessThan(before + 2 ** 20);
  });

  it("lets a NaN through to the features", async () => {
    const broken = images.slice(0, 2 * PIXELS);
    broken[PIXELS + 500] = Number.NaN;
    const { features } = await extractor.extract(broken);
    expect(features.subarray(0, 64).every(Number.isFinite)).toBe(true);
    expect(features.subarray(64).some(Number.isFinite)).toBe(false);
  });

  it("refuses images of another size, unknown networks and misshapen tensors", async () => {
    await expect(extractor.extract(images.subarray(0, 1000))).rejects.toThrow("no images of 1x32x32");
    await expect(FeatureExtractor.open(gpu, weightsPath("ncvsd-fashion32.safetensors"))).rejects.toThrow(
      'no feature network that is known: it is "ncvsd", there is fashion32-features',
    );
    const net = await openCheckpoint(file);
    const tensors = await Promise.all(
      [...net.tensors.values()].map(async ({ name, dtype, shape }) => ({
        name,
        dtype,
        shape,
        data: await net.readBytes(name),
      })),
    );
    const path = join(tmpdir(), `misshapen-${process.pid}.safetensors`);
    writeFileSync(
      path,
      writeSafetensors(
        tensors.map((t) => (t.name === "fc2.weight" ? { ...t, shape: [64, 10] } : t)),
        { architecture: "fashion32-features" },
      ),
    );
    await expect(FeatureExtractor.open(gpu, path)).rejects.toThrow(
      "fc2.weight is [64, 10] where fashion32-features has [10, 64]",
    );
    writeFileSync(path, writeSafetensors(tensors.slice(1), { architecture: "fashion32-features" }));
    await expect(FeatureExtractor.open(gpu, path)).rejects.toThrow(
      `the tensor ${tensors[0]!.name} of fashion32-features is missing`,
    );
    rmSync(path);
    await net.close();
  });
});
