import { expect, test } from "vitest";
import { read, write } from "../../kernels/lib/buffers.js";
import { elementwise } from "../../kernels/lib/elementwise.js";
import type { Gpu } from "../../src/gpu/device.js";
import { stage } from "../../src/graph/stage.js";
import type { Denoiser } from "../../src/networks/session.js";
import { sampleHeun } from "../../src/sample/heun.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((opened) => {
  gpu = opened;
});

/** The recordings' D(x) = x/2 + tanh(2x)/2, of no noise level. */
const curve = elementwise<{ elements: number }>({
  name: "curve",
  group: "sampling",
  source: `
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
fn each(i: u32) { y[i] = 0.5 * x[i] + 0.5 * tanh(clamp(2.0 * x[i], -20.0, 20.0)); }
`,
  counts: ({ elements }) => ({ elements }),
  buffers: (_, n) => [read("x", n), write("y", n)],
  flops: () => 0,
  reference: () => ({}),
  cases: [],
  tolerance: { f32: 0, f16: 0 },
});

function timeless(shape: readonly [number, number, number]): Denoiser {
  const one = shape[0] * shape[1] * shape[2];
  return {
    gpu,
    shape,
    async openDenoiser(batch) {
      const [x, sigma, denoised] = [batch * one, batch, batch * one].map((n) => gpu.storage("test", 4 * n));
      const program = await stage(gpu, "curve", curve, { elements: batch * one }, { x: x!, y: denoised! });
      return {
        ...{ gpu, batch, x: x!, sigma: sigma!, denoised: denoised! },
        encode: (pass) => program.encode(pass),
        locateNonFinite: async () => undefined,
        release() {
          program.destroy();
          for (const buffer of [x, sigma, denoised]) gpu.destroyBuffer(buffer!);
        },
      };
    },
  };
}

test("Heun's steps of a score without levels, and inpainting by replacement, as recorded in float64", async () => {
  const file = await Recording.open("disco/heun-timeless.safetensors");
  const model = timeless([3, 4, 4]);
  const first = await file.values("a.noise_init");
  const free = await sampleHeun(model, { steps: 18, batch: 3, noise: () => first });
  expect(relativeError(free.images, await file.truth("a.x_out"))).toBeLessThan(3e-6);

  const [init, noises, image] = await Promise.all(
    ["inpaint.noise_init", "inpaint.noise", "inpaint.image"].map((name) => file.values(name)),
  );
  const mask = await file.values("inpaint.mask");
  const [one, steps] = [2 * 48, await file.truth("inpaint.x_steps")];
  const seen: Float32Array[] = [];
  const { images } = await sampleHeun(model, {
    ...{ steps: 18, batch: 2, known: { image: image!, mask } },
    noise: (draw) => (draw === 0 ? init! : noises!.subarray(one * (draw - 1), one * draw)),
    async onStep({ preview }) {
      seen.push(await preview());
    },
  });
  for (const [i, x] of seen.entries())
    expect(relativeError(x, steps.subarray(one * i, one * (i + 1))), `step ${i}`).toBeLessThan(3e-6);
  expect(relativeError(images, await file.truth("inpaint.x_out"))).toBeLessThan(3e-6);
  images.forEach((v, i) => {
    if (mask[i % 16]) expect(v).toBe(image![i]);
  });
});

test("clean pixels stay as they are through all steps; what does not fit is refused", async () => {
  const model = timeless([1, 4, 4]);
  const image = Float32Array.from({ length: 16 }, (_, i) => (i < 8 ? Math.sin(i) : Number.NaN));
  const mask = Float32Array.from({ length: 16 }, (_, i) => Number(i < 8));
  const states: Float32Array[] = [];
  const known = { image, mask, as: "clean" } as const;
  const onStep = async ({ preview }: { preview(): Promise<Float32Array> }) => void states.push(await preview());
  const { images } = await sampleHeun(model, { steps: 12, batch: 2, known, onStep });
  for (const state of [...states, images]) {
    expect([...state.subarray(16, 24)]).toEqual([...image.subarray(0, 8)]);
    expect(state.every(Number.isFinite)).toBe(true);
  }
  // Between the modes at -1 and 1 nothing stays.
  expect([...images.subarray(8, 16)].every((v) => Math.abs(Math.abs(v) - 0.957) < 0.05)).toBe(true);
  const refused = (more: object) => expect(sampleHeun(model, { steps: 3, known, ...more })).rejects;
  await refused({ known: { image, mask: mask.subarray(1) } }).toThrow("known.mask must have 16 values, got 15");
  await refused({ known: { image: image.subarray(1), mask } }).toThrow("known.image must be a Float32Array of 16");
  await refused({ known: { image, mask: mask.map(() => 1) } }).toThrow("known.image holds NaN at index 8");
  await refused({ S_churn: 10 }).toThrow("known pixels and churn do not go together");
});
