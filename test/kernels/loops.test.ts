import { describe, expect, it } from "vitest";
import { conv2d } from "../../kernels/features/conv2d/kernel.js";
import { tokenAttention } from "../../kernels/features/token-attention/kernel.js";
import { attention } from "../../kernels/network/attention/kernel.js";
import { mpCat } from "../../kernels/network/mp-cat/kernel.js";
import { mpSilu } from "../../kernels/network/mp-silu/kernel.js";
import { pixelNorm } from "../../kernels/network/pixel-norm/kernel.js";
import { resample } from "../../kernels/network/resample/kernel.js";
import { winogradInput } from "../../kernels/network/winograd-input/kernel.js";
import { winogradOutput } from "../../kernels/network/winograd-output/kernel.js";
import { matmul } from "../../kernels/vae/matmul/kernel.js";
import { narrowF16, widenF16 } from "../../src/checkpoint/half.js";
import type { AnyKernel, Caps } from "../../src/gpu/contract.js";
import type { Gpu } from "../../src/gpu/device.js";
import { gpuProfile, profileCaps } from "../../src/gpu/profiles.js";
import { prepareKernel, relativeError } from "../../src/graph/run-kernel.js";
import { openTestGpu, withTestGpu } from "../support/gpu.js";

/** Kernels that have other loops for a GPU than for software: all of them are right, whatever this adapter would choose. */
const families: Record<string, Partial<Caps>> = {
  "as on a GPU": { software: false },
  "as on software without subgroups": { software: true, subgroups: false },
};

const FEW = ["odd sizes", "many keys of whole quads", "queries of several workgroups", "8 x 8 pixels"];

const anyCaps = profileCaps(gpuProfile("gpu"), "f32");

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

function forced(kernel: AnyKernel, change: Partial<Caps>): AnyKernel {
  const caps = (given: Caps): Caps => ({ ...given, ...change });
  return {
    ...kernel,
    variant: (p, given) => kernel.variant(p, caps(given)),
    grid: (p, variant, given) => kernel.grid(p, variant, caps(given)),
  };
}

for (const [family, change] of Object.entries(families)) {
  describe(family, () => {
    const own = change.software ? [] : [conv2d, pixelNorm, winogradInput, winogradOutput];
    for (const kernel of [attention, matmul, mpCat, mpSilu, resample, tokenAttention, ...own] as AnyKernel[]) {
      // Straight-line transforms and tiles take long to compile on a processor: one of a text will do, and few of attention's.
      const texts = new Set<string>();
      for (const test of kernel.cases) {
        const { key } = kernel.variant(test.params, { ...anyCaps, ...change });
        if (kernel.name.startsWith("winograd") && texts.has(key)) continue;
        if (kernel.name === "conv2d" && !["several tiles", "precise sums"].includes(test.name)) continue;
        if (/^few/.test(key) && (texts.has(key) || !FEW.includes(test.name))) continue;
        texts.add(key);
        it(`${kernel.name}: ${test.name}`, async () => {
          const run = await prepareKernel(gpu, forced(kernel, change), test);
          await run.program.run();
          const reference = kernel.reference(test.params, run.inputs);
          for (const [name, out] of Object.entries(await run.outputs())) {
            expect(relativeError(out, reference[name]!), name).toBeLessThanOrEqual(kernel.tolerance.f32);
          }
          run.program.destroy();
        });
      }
    }
  });
}

describe("which loop is chosen", () => {
  const software: Partial<Caps> = { software: true, subgroups: true, subgroupMinSize: 8, subgroupMaxSize: 8 };
  const key = (kernel: AnyKernel, params: object, change: Partial<Caps>) =>
    kernel.variant(params, { ...gpu.caps, ...change }).key;
  const heads = { batch: 1, heads: 2, headDim: 64, pixels: 256 };
  const product = { images: 1, m: 64, k: 64, n: 64, transposed: false, scale: 1 };

  it("subgroups of exactly 8 on software: the loops without barriers", () => {
    expect(key(attention, heads, software)).toMatch(/^subgroup8/);
    expect(key(matmul, product, software)).toBe("subgroup");
  });

  it("subgroups of another or an uncertain size, or a GPU: loops that assume none", () => {
    const others = [
      { ...software, subgroupMinSize: 4 },
      { ...software, subgroupMaxSize: 16 },
      { ...software, software: false },
    ];
    for (const change of others) {
      expect(key(attention, heads, change)).toMatch(change.software === false ? /^few c2 2x8 vec4/ : /^tiled c8 vec4/);
      expect(key(matmul, product, change)).toBe(change.software === false ? "tiled" : "plain");
    }
  });

  it("heads of more channels than the sums have room for: tiles", () => {
    expect(key(attention, { ...heads, headDim: 65 }, software)).toMatch(/^tiled c8 subgroup8/);
  });
});

describe("an image's bits do not depend on the batch", () => {
  const cases: [AnyKernel, object, string, string][] = [
    [attention, { heads: 2, headDim: 20, pixels: 140 }, "batch", "y"],
    [attention, { heads: 1, headDim: 7, pixels: 50 }, "batch", "y"],
    [matmul, { m: 40, k: 36, n: 68, transposed: false, scale: 1 }, "images", "y"],
    [matmul, { m: 40, k: 36, n: 68, transposed: true, scale: 1 }, "images", "y"],
    [mpCat, { channelsA: 5, channelsB: 9, pixels: 100, t: 0.5, raw: true, silu: true }, "batch", "s"],
    [resample, { channels: 3, height: 8, width: 8, filter: [1, 1], mode: "down" }, "batch", "y"],
    [forced(pixelNorm as AnyKernel, { software: false }), { channels: 70, pixels: 20, silu: true }, "batch", "s"],
  ];
  for (const [kernel, shape, batch, out] of cases) {
    it(`${kernel.name} ${JSON.stringify(shape)}`, async () => {
      const run = async (images: number) => {
        const params = { ...shape, [batch]: images };
        // Every image of every buffer is the same one.
        const inputs = (_name: string, length: number, random: () => number) => {
          const image = Float32Array.from({ length: length / images }, random);
          return Float32Array.from({ length }, (_, i) => image[i % image.length]!);
        };
        const prepared = await prepareKernel(gpu, kernel, { name: "batch", params, inputs });
        await prepared.program.run();
        const values = (await prepared.outputs())[out] as Float32Array;
        prepared.program.destroy();
        return values;
      };
      const alone = (await run(1)).slice();
      const among = await run(7);
      for (let image = 0; image < 7; image++) {
        const part = among.slice(image * alone.length, (image + 1) * alone.length);
        expect(Buffer.from(part.buffer).equals(Buffer.from(alone.buffer))).toBe(true);
      }
    });
  }
});

describe("f16 made of words, on a software adapter", () => {
  it("every f16 is loaded as it is, and every product of it rounded to the nearest", async ({ skip }) => {
    if (!gpu.features.includes("shader-f16") || !gpu.info.software) skip();
    const half = await openTestGpu({ precision: "f16" });
    const every = widenF16(Uint16Array.from({ length: 65536 }, (_, bits) => bits));
    const params = { batch: 1, channelsA: 1, channelsB: 2, pixels: 65536, t: 0.5, raw: true, silu: false };
    expect(mpCat.variant(params, half.caps).key).toContain("words");
    const inputs = (_name: string, length: number) => Float32Array.from({ length }, (_, i) => every[i % 65536]!);
    const run = await prepareKernel(half, mpCat, { name: "every f16", params, inputs });
    await run.program.run();
    const y = (await run.outputs()).y as Float32Array;
    const { scale_a: a, scale_b: b } = mpCat.uniforms(params) as Record<string, number>;
    const products = Float32Array.from(y, (_, i) => Math.fround(i < 65536 ? a! : b!) * every[i % 65536]!);
    expect(Array.from(y)).toEqual(Array.from(widenF16(narrowF16(products))));
    half.close();
  });
});
