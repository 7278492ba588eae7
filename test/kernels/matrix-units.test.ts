import { afterAll, beforeAll, expect, it } from "vitest";
import { create, globals } from "webgpu";
import { gemm } from "../../kernels/network/gemm/kernel.js";
import type { AnyKernel, Caps, MatrixShape } from "../../src/gpu/contract.js";
import type { Gpu, OpenGpuOptions } from "../../src/gpu/device.js";
import { MATRIX_FEATURE, matricesOf } from "../../src/gpu/matrices.js";
import { composeSource } from "../../src/gpu/reflect.js";
import { prepareKernel, relativeError } from "../../src/graph/run-kernel.js";
import { deviceOptions } from "../../src/runs/run-record.js";
import { openTestGpu } from "../support/gpu.js";

const CAPS: Caps = {
  precision: "f16",
  subgroups: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  software: false,
  maxWorkgroupSize: 1024,
  maxWorkgroupsPerDimension: 65535,
  matrices: { m: 16, n: 16, k: 16 },
};
const SHAPES: readonly MatrixShape[] = [CAPS.matrices!, { m: 8, n: 8, k: 8 }, { m: 16, n: 8, k: 16 }];

it("matrix units multiply where there are any, subgroups have one size, and nothing else was tuned", () => {
  const { params } = gemm.cases[0]!;
  const key = (change: Partial<Caps>) => gemm.variant(params, { ...CAPS, ...change }).key;
  expect(key({})).toMatch(/^matrix 16x16x16 f16/);
  const { matrices: _, ...none } = CAPS;
  expect(gemm.variant(params, none).key).toMatch(/^tiled/);
  expect(key({ subgroupMinSize: 8 })).toMatch(/^tiled/);
  expect(key({ software: true })).not.toMatch(/^matrix/);
  expect(key({ tuning: new Map([[gemm.tuneKey!(params), "plain 8x1"]]) })).toMatch(/^plain 8x1/);
});

it("an adapter's largest matrices of halves with sums of f32 are taken, if they are wanted", () => {
  const config = (size: number, componentType = "f16", resultComponentType = "f32") => {
    return { componentType, resultComponentType, M: size, N: size, K: size };
  };
  const adapter = (configs: object, feature = MATRIX_FEATURE) => {
    return { features: new Set([feature]), info: { subgroupMatrixConfigs: configs } };
  };
  const several = adapter(new Set([config(8), config(16), config(64), config(32, "u8"), config(32, "f16", "f16")]));
  expect(matricesOf(several, "f16")).toEqual({ m: 16, n: 16, k: 16 });
  expect(matricesOf(several, "f16", "off")).toBeUndefined();
  expect(matricesOf(several, "f32")).toBeUndefined();
  expect(matricesOf(adapter([]), "f16")).toBeUndefined();
  expect(matricesOf(adapter([config(16)], "subgroups"), "f16")).toBeUndefined();
});

it("every text is one that Dawn makes a pipeline of, on its null backend", async () => {
  Object.assign(globalThis, globals);
  const native = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  const adapter = (await native.requestAdapter())!;
  const feature = MATRIX_FEATURE as GPUFeatureName;
  const device = await adapter.requestDevice({ requiredFeatures: ["subgroups", "shader-f16", feature] });
  // The widest subgroup of the null backend: a workgroup has to be as wide.
  const widest = { subgroupMinSize: 128, subgroupMaxSize: 128 };
  for (const matrices of SHAPES) {
    for (const test of gemm.cases.filter(({ name }) =>
      /odd everything|scale and silu|sum and clip|groups/.test(name),
    )) {
      const variant = gemm.variant(test.params, { ...CAPS, ...widest, matrices });
      const module = device.createShaderModule({ code: (await composeSource(gemm, variant, "f16")).text });
      const { messages } = await module.getCompilationInfo();
      expect(messages.map(({ message }) => message)).toEqual([]);
      await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
    }
  }
  device.destroy();
});

/** The same text on an adapter without matrix units: every invocation makes all matrices itself, in f32, from the same halves. */
function emulated(text: string, { m, n, k }: MatrixShape): string {
  // Ends that a compiler does not know: unrolled, the loops would take it half a minute.
  const end = (size: number) => `min(p.rows + 4096u, ${size}u)`;
  const matrix = (name: string, size: number) => `alias ${name} = array<f32, ${size}>;`;
  return text
    .replace(/alias Left = .*;/, matrix("Left", m * k))
    .replace(/alias Right = .*;/, matrix("Right", k * n))
    .replace(/alias Result = .*;/, matrix("Result", m * n))
    .replaceAll("subgroupMatrixLoad<Left, col_major>(&left, ", "load_left(")
    .replaceAll("subgroupMatrixLoad<Right, row_major>(&right, ", "load_right(")
    .replaceAll("subgroupMatrixMultiplyAccumulate(", "multiply(")
    .replaceAll("subgroupMatrixStore<row_major>(&sums, ", "store_sums(lane, ")
    .concat(`
fn load_left(offset: u32, stride: u32) -> Left {
  var a: Left;
  for (var i = 0u; i < ${end(m * k)}; i++) { a[i] = f32(left[offset + i % ${k}u * stride + i / ${k}u]); }
  return a;
}
fn load_right(offset: u32, stride: u32) -> Right {
  var b: Right;
  for (var i = 0u; i < ${end(k * n)}; i++) { b[i] = f32(right[offset + i / ${n}u * stride + i % ${n}u]); }
  return b;
}
fn multiply(a: Left, b: Right, c: Result) -> Result {
  var d = c;
  for (var i = 0u; i < ${end(m * n)}; i++) {
    for (var j = 0u; j < ${end(k)}; j++) { d[i] += a[i / ${n}u * ${k}u + j] * b[j * ${n}u + i % ${n}u]; }
  }
  return d;
}
fn store_sums(lane: u32, offset: u32, c: Result, stride: u32) {
  if (lane == 0u) {
    for (var i = 0u; i < ${end(m * n)}; i++) { sums[offset + i / ${n}u * stride + i % ${n}u] = c[i]; }
  }
}
`);
}

it("Dawn's experimental features are asked for by those only who may use matrix units", async () => {
  const experimental = async (options: OpenGpuOptions) => {
    const opened = await openTestGpu(options);
    opened.close();
    return opened.features.filter((name) => name.startsWith("chromium-experimental-")).length;
  };
  expect(await experimental({ precision: "f16" })).toBeGreaterThan(0);
  expect(await experimental({ precision: "f16", tensorCores: "off" })).toBe(0);
  expect(await experimental({})).toBe(0);
  await expect(openTestGpu({ tensorCores: "on" as "off" })).rejects.toThrow("tensorCores must be auto or off, got on");
});

it("a picture's options say which matrix units it was made with", () => {
  expect(deviceOptions({ caps: CAPS })).toEqual({ precision: "f16", matrices: "16x16x16" });
  const { matrices: _, ...none } = CAPS;
  expect(deviceOptions({ caps: none })).toEqual({ precision: "f16" });
});

/** The adapter of the tests offers no matrices: nothing is chosen there. */
let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ precision: "f16" });
});
afterAll(() => gpu.close());

// The larger ones: as Winograd's operands are of an image of the largest halves.
it.for([1, 4e5])("its indices are right, by an emulation, of values of %f", async (size, { skip }) => {
  if (gpu.precision !== "f16") skip();
  const matrices = { m: 4, n: 4, k: 4 };
  const caps: Caps = { ...CAPS, matrices };
  const test = gemm.cases.find(({ name }) => name === "groups in f32")!;
  const { text, ...variant } = gemm.variant(test.params, caps);
  const whole = `${variant.prelude}\n${await text!()}`;
  const kernel: AnyKernel = {
    ...gemm,
    name: "gemm-emulated",
    variant: () => ({ key: variant.key, prelude: emulated(whole, matrices), needs: ["f16"] }),
    grid: (p) => gemm.grid(p, variant, caps),
  };
  const inputs = (name: string, length: number, random: () => number) =>
    Float32Array.from({ length }, () => (name === "x" ? size : 1) * random());
  const run = await prepareKernel(gpu, kernel, { ...test, inputs });
  await run.program.run();
  const { y } = await run.outputs();
  expect(relativeError(y!, gemm.reference(test.params, run.inputs).y!)).toBeLessThanOrEqual(1e-3);
  run.program.destroy();
});
