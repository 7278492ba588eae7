import { describe, expect, it } from "vitest";
import type { Gpu } from "../../src/gpu/device.js";
import { gaussianKernel } from "../../src/operators/blur-kernels.js";
import type { GpuOperator } from "../../src/operators/gpu-operator.js";
import { operators } from "../../src/operators/operators.js";
import { Recording, relativeError } from "../support/fixtures.js";
import { withTestGpu } from "../support/gpu.js";

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

type Errors = Record<string, number>;

/** 2e-5, or ten times the recording's own error where that is larger (draws of a blur with a wide prior). */
function tolerance(recorded: Errors, tensor: string): number {
  return Math.max(2e-5, 10 * (recorded[tensor] ?? 0));
}

async function expectTensor(r: Recording, tensor: string, values: Float32Array): Promise<void> {
  const limit = tolerance(r.meta<Errors>("fp32_vs_fp64_rel_err_by_tensor") ?? {}, tensor);
  const error = relativeError(values, await r.truth(tensor));
  console.info(`  ${tensor}: ${error.toExponential(1)} (limit ${limit.toExponential(1)})`);
  expect(error, tensor).toBeLessThanOrEqual(limit);
}

/** Forward, adjoint, every recorded draw and every recorded mean. The recorded transpose is that of `of`. */
async function replayLinear(r: Recording, operator: GpuOperator, of: "x" | "y" = "y"): Promise<void> {
  const { sigma } = r.meta<{ sigma: number }>("config")!;
  const [x, y, noise] = [await r.values("x"), await r.values("y"), await r.values("noise.0")];
  expect([...operator.measurementShape]).toEqual(r.shape("y").slice(1));
  await expectTensor(r, "forward", await operator.forward(x));
  await expectTensor(r, "transpose", await operator.adjoint!(of === "x" ? x : y));
  for (const name of r.names) {
    const match = /^(prox|prox_mean)\.rho([\d.]+)$/.exec(name.replace(/\.f64$/, ""));
    if (!match || name.endsWith(".f64")) continue;
    const rho = Number(match[2]);
    const z = match[1] === "prox" ? noise : new Float32Array(noise.length);
    await expectTensor(r, name, await operator.sampleProximal!({ x, y, sigma, rho, noise: z }));
  }
}

const blurOf = async (r: Recording) => {
  const size = r.shape("kernel")[0]!;
  return operators.motionBlur(gpu, {
    shape: r.shape("x").slice(1),
    kernel: await r.values("kernel"),
    kernelSize: size,
  });
};

describe("inpainting agrees with the recordings", () => {
  for (const name of ["inpainting_box", "inpainting_random_gray"]) {
    it(name, async () => {
      const r = await Recording.open(`operators/${name}.safetensors`);
      await replayLinear(
        r,
        operators.inpainting(gpu, { shape: r.shape("x").slice(1), mask: await r.values("mask") }),
        "x",
      );
    });
  }

  it("the preset's box is the recorded mask", async () => {
    const r = await Recording.open("operators/preset_kernels.safetensors");
    const mask = (await r.checkpoint.readBytes("box_mask")).slice();
    const operator = operators.inpainting(gpu, { shape: [1, 256, 256], box: [64, 192, 64, 192] });
    const ones = await operator.forward(new Float32Array(256 * 256).fill(1));
    expect([...ones]).toEqual([...mask].map((v) => Number(v > 0)));
  });
});

describe("Gaussian blur agrees with the recordings", () => {
  for (const name of ["gaussian_15_k5_odd", "gaussian_16_k7", "gaussian_20_k9_folded", "gaussian_64_k61"]) {
    it(name, async () => {
      const r = await Recording.open(`operators/${name}.safetensors`);
      const config = r.meta<{ kernel_size: number; intensity: number }>("config")!;
      const kernel = gaussianKernel(config.kernel_size, config.intensity);
      expect(relativeError(kernel, await r.values("kernel"))).toBeLessThanOrEqual(1e-7);
      const { kernel_size: kernelSize, intensity: std } = config;
      await replayLinear(r, operators.gaussianBlur(gpu, { shape: r.shape("x").slice(1), kernelSize, std }));
    });
  }

  it("the preset's kernel is the recorded one", async () => {
    const r = await Recording.open("operators/preset_kernels.safetensors");
    expect(relativeError(gaussianKernel(61, 3), await r.values("gaussian_kernel_61_3"))).toBeLessThanOrEqual(1e-7);
  });
});

describe("motion blur with a given kernel agrees with the recordings", () => {
  for (const name of ["motion_16_k7", "motion_64_k61"]) {
    it(name, async () => {
      const r = await Recording.open(`operators/${name}.safetensors`);
      await replayLinear(r, await blurOf(r));
    });
  }
});

describe("super-resolution agrees with the recordings", () => {
  for (const name of ["sr_x4_16", "sr_x4_64"]) {
    it(name, async () => {
      const r = await Recording.open(`operators/${name}.safetensors`);
      const operator = operators.superResolution(gpu, { shape: r.shape("x").slice(1), factor: 4 });
      expect([...operator.measurementShape]).toEqual(r.shape("y").slice(1));
      await expectTensor(r, "forward", await operator.forward(await r.values("x")));
      await expectTensor(r, "adjoint_v", await operator.adjoint!(await r.values("v")));
      const x = await r.values("x_eval");
      const y = await r.values("y");
      await expectTensor(r, "grad_energy", await operator.energyGradient!({ x, y }));
      const ax = await operator.forward(x);
      const energy = ax.reduce((sum, v, i) => sum + (v - y[i]!) ** 2, 0);
      await expectTensor(r, "energy", Float32Array.of(energy));
    });
  }

  it("sr_x4_256", async () => {
    const r = await Recording.open("operators/sr_x4_256.safetensors");
    const bytes = (await r.checkpoint.readBytes("x_u8")).slice();
    const operator = operators.superResolution(gpu, { shape: [1, 256, 256], factor: 4 });
    await expectTensor(r, "forward", await operator.forward(Float32Array.from(bytes, (v) => v / 127.5 - 1)));
  });
});

describe("phase retrieval agrees with the recordings", () => {
  it("phase_32_os1", async () => {
    const r = await Recording.open("operators/phase_32_os1.safetensors");
    const operator = operators.phaseRetrieval(gpu, { shape: [1, 32, 32], oversample: 1 });
    expect([...operator.measurementShape]).toEqual([1, 96, 96]);
    await expectTensor(r, "forward", await operator.forward(await r.values("xa")));
    await expectTensor(
      r,
      "grad_energy",
      await operator.energyGradient!({ x: await r.values("xb"), y: await r.values("y") }),
    );
  });

  it("phase_256_os4", async () => {
    const r = await Recording.open("operators/phase_256_os4.safetensors");
    const image = async (name: string) =>
      Float32Array.from((await r.checkpoint.readBytes(name)).slice(), (v) => v / 127.5 - 1);
    const operator = operators.phaseRetrieval(gpu, { shape: [1, 256, 256], oversample: 4 });
    const amplitudes = await operator.forward(await image("xa_u8"));
    await expectTensor(r, "forward.top_rows", amplitudes.subarray(0, 257 * 512));
    const x = await image("xb_u8");
    const gradient = await operator.energyGradient!({ x, y: amplitudes });
    await expectTensor(r, "grad_energy", gradient);
    const energy = (await operator.forward(x)).reduce((sum, v, i) => sum + (v - amplitudes[i]!) ** 2, 0);
    await expectTensor(r, "energy", Float32Array.of(energy));
  });

  it("the gradient is 0 where the amplitude is 0", async () => {
    // x = -1 is black, amplitudes and gradient are 0 in the frame and everywhere.
    const operator = operators.phaseRetrieval(gpu, { shape: [1, 8, 8], pad: 4 });
    const gradient = await operator.energyGradient!({
      x: new Float32Array(64).fill(-1),
      y: new Float32Array(256).fill(1),
    });
    expect([...gradient]).toEqual(Array(64).fill(0));
  });
});
