import { describe, expect, it } from "vitest";
import { normalSource, relativeError } from "../../src/graph/run-kernel.js";
import { toRawLatents } from "../../src/networks/vae/latents.js";
import { Vae } from "../../src/networks/vae/vae.js";
import { openTestGpu } from "../support/gpu.js";
import { randomVae, SMALL_VAE } from "../support/random-vae.js";
import { decode } from "../support/reference-vae.js";

const MIB = 2 ** 20;
const SIDE = 32;
const { weights, file } = randomVae({ ...SMALL_VAE, channels: [64], resnets: 1 });
const latent = Float32Array.from({ length: 4 * SIDE * SIDE }, normalSource(4));
const shape = [1, 4, SIDE, SIDE] as const;

const data = Float64Array.from(toRawLatents(latent, SIDE * SIDE));
const expected = decode(weights, ["to_q", "to_k", "to_v", "to_out.0"], { data, c: 4, h: SIDE, w: SIDE }).data;

async function within<T>(limit: number, action: (vae: Vae) => Promise<T>): Promise<T> {
  const gpu = await openTestGpu({ memoryLimit: limit * MIB });
  try {
    return await action(await Vae.open(gpu, file));
  } finally {
    gpu.close();
  }
}

describe("decoding with little memory", () => {
  it("more memory never makes it fail: the float64 picture within every limit above the first that suffices", async () => {
    const limits = [3, 4, 4.5, 5, 5.5, 6, 6.5, 7, 8, 9, 10, 11, 12, 13, 14];
    const outcomes: string[] = [];
    for (const limit of limits) {
      const outcome = await within(limit, async (vae) => {
        const way = vae.fitsWhole(SIDE, SIDE) ? "whole" : "in parts";
        const picture = vae.decode(latent, shape);
        return picture.then(
          ({ images }) => (relativeError(images, expected) < 2e-5 ? way : `${limit} MiB: another picture`),
          (error) => (error.code === "OUT_OF_MEMORY" && way === "in parts" ? "too little" : String(error)),
        );
      });
      outcomes.push(outcome);
    }
    const count = (way: string) => outcomes.filter((outcome) => outcome === way).length;
    const ways = ["too little", "in parts", "whole"];
    expect(outcomes).toEqual(ways.flatMap((way) => Array<string>(count(way)).fill(way)));
    // Parts have to be worth it: less than half of what the whole decoder needs.
    expect(ways.map((way) => count(way) > 0)).toEqual([true, true, true]);
    const [first, whole] = ["in parts", "whole"].map((way) => limits[outcomes.indexOf(way)]!);
    expect(first).toBeLessThan(whole! / 2);
  }, 30_000);

  it("what was decoded whole before makes room for larger latents", async () => {
    await within(10, async (vae) => {
      const small = latent.subarray(0, 4 * 8 * 8);
      const before = await vae.decode(small, [1, 4, 8, 8]);
      expect(vae.fitsWhole(8, 8)).toBe(true);
      expect(vae.fitsWhole(SIDE, SIDE)).toBe(false);
      const { images } = await vae.decode(latent, shape);
      expect(relativeError(images, expected)).toBeLessThan(2e-5);
      // What small latents took is the same again afterwards.
      expect((await vae.decode(small, [1, 4, 8, 8])).images).toEqual(before.images);
    });
  });

  it("strips release the whole decoder's memory", async () => {
    await within(64, async (vae) => {
      const { gpu } = vae;
      await vae.decode(latent, shape, { stripRows: 4 });
      const strips = gpu.allocatedBytes;
      await vae.decode(latent, shape);
      const whole = gpu.allocatedBytes;
      await vae.decode(latent, shape, { stripRows: 4 });
      // Weights and buffers for reading back stay.
      expect(whole - gpu.allocatedBytes).toBeGreaterThan(4 * MIB);
      expect(gpu.allocatedBytes - strips).toBeLessThan(2 * MIB);
    });
  });

  it("strips load every layer's weight once, in the form that they use", async () => {
    for (const stripRows of [1, 5]) {
      await within(64, async (vae) => {
        await vae.decode(latent, shape, { stripRows });
        const layers = [...vae.weights.buffers.keys()].filter((name) => name.includes(".weight"));
        const names = layers.map((name) => name.replace(/winograd F\d/, "winograd"));
        expect(names.length).toBeGreaterThan(10);
        expect(new Set(names).size).toBe(names.length);
      });
    }
  });
});
