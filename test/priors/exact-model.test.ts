import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { normals } from "../../kernels/lib/philox.js";
import { slicedWasserstein } from "../../src/evaluate/wasserstein.js";
import type { Gpu } from "../../src/gpu/device.js";
import type { DenoiserVjpSession } from "../../src/networks/session.js";
import { operators } from "../../src/operators/operators.js";
import { type DatasetPrior, datasetPrior } from "../../src/priors/dataset-prior.js";
import { exactModel } from "../../src/priors/exact-model.js";
import { gaussianMixture } from "../../src/priors/mixture.js";
import { SetOnGpu } from "../../src/priors/set-on-gpu.js";
import { sampleHeun } from "../../src/sample/heun.js";
import { sampleMultiStep } from "../../src/sample/multi-step.js";
import { solveInverse } from "../../src/sample/solve-inverse.js";
import { relativeError } from "../support/fixtures.js";
import { openTestGpu } from "../support/gpu.js";
import { RawTensors } from "../support/raw-tensors.js";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

const file = new RawTensors("priors/mixture_image_4x4.safetensors");
const mix = gaussianMixture({
  means: file.values("means"),
  covs: file.values("covs"),
  weights: file.values("weights"),
});
const SHAPE = [1, 4, 4] as const;

/** Images of a few pictures of a small set, with noise of each level. */
function noisy(images: Float32Array, dims: number, levels: readonly number[]) {
  const z = normals(3, 0, levels.length * dims);
  return Float32Array.from(z, (v, i) => images[i]! + levels[Math.floor(i / dims)]! * v);
}

async function derivative(session: DenoiserVjpSession, x: Float32Array, sigma: Float32Array, v: Float32Array) {
  gpu.write(session.x, x);
  gpu.write(session.sigma, sigma);
  gpu.write(session.v, v);
  const run = (encode: (pass: GPUComputePassEncoder) => void) => {
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
  };
  run((pass) => session.encode(pass));
  // A sampler may write its next level before.
  gpu.write(session.sigma, new Float32Array(sigma.length).fill(7));
  run((pass) => session.pullback.encode(pass));
  return gpu.readF32(session.vjp, v.length);
}

describe("a mixture in a network's place", () => {
  it("denoises as recorded, every image on its own", async () => {
    const model = await exactModel(gpu, mix, { shape: SHAPE });
    const x = file.f32("denoise.x");
    const rows = x.length / 16 / 4;
    const sigma = Array.from(file.values("denoise.sigma")).flatMap((s) => Array<number>(rows).fill(s));
    const all = await model.denoise({ x, sigma });
    expect(relativeError(all, file.values("denoise.D"))).toBeLessThan(2e-6);
    const one = await model.denoise({ x: x.slice(7 * 16, 8 * 16), sigma: sigma[7]! });
    expect(one).toEqual(all.slice(7 * 16, 8 * 16));
    expect(model.config).toMatchObject({ img_channels: 1, img_resolution: 4, label_dim: 0 });
    expect(model.largestBatch(100)).toBe(100);
    await model.close();
    await expect(model.denoise({ x, sigma })).rejects.toThrow(/is closed/);
  });

  it("draws as the exact posterior does", async () => {
    const model = await exactModel(gpu, mix, { shape: SHAPE });
    const n = 2000;
    const y = Float32Array.from({ length: 16 * n }, (_, i) => file.f32("denoise.x")[5 * 16 + (i % 16)]!);
    const drawn = await model.generate({ y, sigma: 0.7 });
    const [a, b] = [1, 2].map((seed) => mix.generate({ y, sigma: 0.7, seed }));
    const floor = slicedWasserstein(a!, b!, { coordinates: 16 });
    expect(slicedWasserstein(drawn, a!, { coordinates: 16 })).toBeLessThan(2 * floor);
    // A function of its noise, and of nothing of the batch.
    const z = Float32Array.from(normals(9, 0, 32));
    const two = await model.generate({ y: y.slice(0, 32), sigma: 0.7, z });
    expect(await model.generate({ y: y.slice(0, 16), sigma: 0.7, z: z.slice(16) })).toEqual(two.slice(16));
    await model.close();
  });

  it("has the derivative of its denoiser", async () => {
    const model = await exactModel(gpu, mix, { shape: SHAPE });
    const levels = [0.05, 0.4, 3];
    const x = noisy(Float32Array.from(mix.sample(3, 4)), 16, levels);
    const v = Float32Array.from(normals(5, 0, 48));
    const session = await model.openDenoiserVjp(3, undefined);
    const found = await derivative(session, x, Float32Array.from(levels), v);
    session.release();
    const h = 1e-5;
    const at = (sign: number) =>
      mix.denoise({ x: Float64Array.from(x, (a, i) => a + sign * h * v[i]!), sigma: levels.map(Math.fround) });
    const [up, down] = [at(1), at(-1)];
    expect(
      relativeError(
        found,
        Float64Array.from(up, (a, i) => (a - down[i]!) / (2 * h)),
      ),
    ).toBeLessThan(2e-5);
    await model.close();
  });

  it("solves inverse problems by samplers of all kinds", async () => {
    const model = await exactModel(gpu, mix, { shape: SHAPE });
    const mask = Float32Array.from({ length: 16 }, (_, i) => Number(i % 3 === 0));
    const operator = operators.inpainting(gpu, { shape: SHAPE, mask });
    const y = await operator.forward(Float32Array.from(mix.sample(1, 8)));
    const rows = [0, 3, 6, 9, 12, 15];
    const matrix = rows.flatMap((i) => Array.from({ length: 16 }, (_, j) => Number(i === j)));
    const post = mix.posterior({ matrix, rows: 6, y: rows.map((i) => y[i]!), sigma: 0.1 });
    const runs = 64;
    const common = { operator, measurement: y, sigmaY: 0.1, runs };
    for (const given of [
      { sampler: "pnp-gd", steps: 40, rho: 7 },
      { sampler: "diffpir", steps: 30 },
    ] as const) {
      const { images } = await solveInverse(model, { ...common, ...given });
      const exact = post.sample(runs, 1);
      const again = post.sample(runs, 2);
      const floor = slicedWasserstein(exact, again, { coordinates: 16 });
      expect(slicedWasserstein(images, exact, { coordinates: 16 }), given.sampler).toBeLessThan(4 * floor);
    }
    operator.close?.();
    await model.close();
  });

  it("says what is wrong", async () => {
    await expect(exactModel(gpu, mix, { shape: [1, 4, 5] })).rejects.toThrow(
      /20 values, and the mixture 16 dimensions/,
    );
    await expect(exactModel(gpu, {} as never, { shape: SHAPE })).rejects.toThrow(/must be what gaussianMixture/);
    await expect(exactModel(gpu, mix, { size: 4 } as never)).rejects.toThrow(/unknown option/);
  });
});

describe("a data set as the prior", () => {
  const recorded = new RawTensors("priors/dataset_phase_8.safetensors");
  const shape = [1, 8, 8] as const;
  const images = recorded.f32("images");
  let set: DatasetPrior;
  beforeAll(async () => {
    set = await datasetPrior(gpu, { images, shape });
  });
  afterAll(() => set.close());

  it("denoises, and draws, as recorded", async () => {
    const x = recorded.f32("denoise.x");
    const sigma = Array.from(recorded.values("denoise.sigma")).flatMap((s) => [s, s, s]);
    expect(relativeError(await set.denoise({ x, sigma }), recorded.values("denoise.D"))).toBeLessThan(1e-6);
    const logs = await set.logDensity({ x, sigma });
    logs.forEach((log, n) => {
      expect(log).toBeCloseTo(recorded.values("denoise.log_density")[n]!, 4);
    });
    const uniforms = recorded.values("generate.uniforms");
    const drawn = await set.generate({ y: x, sigma, uniforms });
    expect(Array.from(drawn.indices)).toEqual(Array.from(recorded.values("generate.index")));
    expect(drawn.images.slice(0, 64)).toEqual(images.slice(64 * drawn.indices[0]!, 64 * drawn.indices[0]! + 64));
  });

  it("has the recorded posterior of phase retrieval", async () => {
    const { pad, sigma_y: sigma } = JSON.parse(recorded.metadata.config!);
    const operator = operators.phaseRetrieval(gpu, { shape, pad });
    const post = await set.posterior({ operator, y: recorded.f32("y"), sigma });
    expect(relativeError(post.logWeights, recorded.values("posterior.log_weights"))).toBeLessThan(1e-6);
    expect(relativeError(post.mean, recorded.values("posterior.mean"))).toBeLessThan(3e-6);
    expect(relativeError(post.std, recorded.values("posterior.std"))).toBeLessThan(3e-6);
    expect(post.ess / recorded.values("posterior.ess")[0]!).toBeCloseTo(1, 5);
    expect(post.logEvidence).toBeCloseTo(recorded.values("posterior.log_evidence")[0]!, 4);
    const drawn = post.draw({ uniforms: recorded.values("posterior.uniforms") });
    expect(Array.from(drawn)).toEqual(Array.from(recorded.values("posterior.draw_index")));
    operator.close?.();
  });

  it("looks only at what a mask leaves, against a plain sum", async () => {
    const mask = Float32Array.from({ length: 64 }, (_, i) => Number(i % 2 === 0));
    const operator = operators.inpainting(gpu, { shape, mask });
    const sigma = 0.4;
    const y = Float32Array.from({ length: 64 }, (_, i) => images[64 + i]! + 0.1 * Math.sin(i) + (i % 2) * 50);
    const post = await set.posterior({ operator, y, sigma });
    const logs = Array.from({ length: 250 }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < 64; i += 2) sum += (images[64 * j + i]! - y[i]!) ** 2;
      return -sum / (2 * sigma ** 2);
    });
    const total = Math.log(logs.reduce((a, l) => a + Math.exp(l), 0));
    logs.forEach((l, j) => {
      expect(post.logWeights[j]).toBeCloseTo(l - total, 5);
    });
    expect(post.logEvidence).toBeCloseTo(total - Math.log(250) - 16 * Math.log(2 * Math.PI * sigma ** 2), 5);
    operator.close?.();
  });

  it("is a model with a derivative, the covariance over sigma^2", async () => {
    const model = await exactModel(gpu, set, {});
    const levels = [0.3, 1, 5];
    const x = noisy(images, 64, levels);
    const v = Float32Array.from(normals(6, 0, 3 * 64));
    const session = await model.openDenoiserVjp(3, undefined);
    const found = await derivative(session, x, Float32Array.from(levels), v);
    session.release();
    const expected = levels.flatMap((level, n) => {
      const row = Array.from({ length: 64 }, (_, i) => i + 64 * n);
      const logs = Array.from({ length: 250 }, (_, j) => {
        const squares = row.map((at, i) => (x[at]! - images[64 * j + i]!) ** 2);
        return -squares.reduce((a, b) => a + b, 0) / (2 * Math.fround(level) ** 2);
      });
      const top = Math.max(...logs);
      const sum = logs.reduce((a, l) => a + Math.exp(l - top), 0);
      const p = logs.map((l) => Math.exp(l - top) / sum);
      const mean = row.map((_, i) => p.reduce((a, w, j) => a + w * images[64 * j + i]!, 0));
      const slopes = p.map((_, j) => row.reduce((a, at, i) => a + v[at]! * (images[64 * j + i]! - mean[i]!), 0));
      return row.map((_, i) => p.reduce((a, w, j) => a + w * images[64 * j + i]! * slopes[j]!, 0) / level ** 2);
    });
    expect(relativeError(found, expected)).toBeLessThan(1e-4);
    await model.close();
    // The set stays open.
    await set.denoise({ x, sigma: levels });
  });

  it("may lie in several buffers", async () => {
    const cut = new SetOnGpu(gpu, images, 64, 4 * 64 * 100);
    expect([2, 3].map((p) => cut.buffers.get(`points ${p}`) !== undefined)).toEqual([true, false]);
    const { ExactModel } = await import("../../src/priors/exact-model.js");
    const model = new ExactModel(gpu, cut, shape, () => cut.buffers.destroy());
    const x = noisy(images, 64, [0.3, 80]);
    const found = await model.denoise({ x, sigma: [0.3, 80] });
    expect(relativeError(found, await set.denoise({ x, sigma: [0.3, 80] }))).toBeLessThan(1e-6);
    await model.close();
  });

  it("names a batch that fits beside what samplers hold", async () => {
    const limited = await openTestGpu({ memoryLimit: 2 ** 20 });
    const own = await datasetPrior(limited, { images: images.subarray(0, 1024), shape: [1, 32, 32] });
    const model = await exactModel(limited, own);
    const seeds = Array.from({ length: model.largestBatch() }, (_, i) => i);
    expect(seeds.length).toBeGreaterThan(10);
    const onStep = async (event: { preview?(): unknown; next?(): unknown; denoised?(): unknown }) => {
      await Promise.all([event.preview?.(), event.next?.(), event.denoised?.()]);
    };
    await sampleHeun(model, { seeds, steps: 2, S_churn: 5, onStep });
    await sampleMultiStep(model, { seeds, ts: [5, 10], zeta: 0.5, onStep });
    limited.close();
  });

  it("says what is wrong", async () => {
    await expect(datasetPrior(gpu, { images: images.slice(1), shape })).rejects.toThrow(/no multiple of 1 x 8 x 8/);
    const operator = operators.inpainting(gpu, { shape: [1, 4, 4], box: [0, 2, 0, 2] });
    const y = new Float32Array(16);
    await expect(set.posterior({ operator, y, sigma: 1 })).rejects.toThrow(/operator is for 1 x 4 x 4/);
    await expect(set.generate({ y: images.slice(0, 64), sigma: 1, uniforms: [0.1, 0.2] })).rejects.toThrow(/2 values/);
    await expect(set.denoise({ x: images.slice(0, 64), sigma: 0 })).rejects.toThrow(/must be positive/);
    operator.close?.();
  });
});
