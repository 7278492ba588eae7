import { beforeAll, describe, expect, it } from "vitest";
import math from "../../kernels/lib/math.wgsl.js";
import { normals, philox4x32, type Words2, type Words4 } from "../../kernels/lib/philox.js";
import philox from "../../kernels/lib/philox.wgsl.js";
import { normal } from "../../kernels/sampling/normal/kernel.js";
import type { Gpu } from "../../src/gpu/device.js";
import { prepareKernel } from "../../src/graph/run-kernel.js";
import { withTestGpu } from "../support/gpu.js";

/** Known answers of Random123 (kat_vectors, "philox4x32 10"): counter, key, result. */
const KNOWN: readonly (readonly [Words4, Words2, Words4])[] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

let gpu: Gpu;
withTestGpu((own) => (gpu = own));

/** The WGSL function on its own: counters and keys in, words out. */
async function philoxOnGpu(inputs: readonly (readonly [Words4, Words2])[]): Promise<Words4[]> {
  const code = `${math}\n${philox}
    struct Input { counter: vec4u, key: vec2u }
    @group(0) @binding(0) var<storage, read> inputs: array<Input>;
    @group(0) @binding(1) var<storage, read_write> outputs: array<vec4u>;
    @compute @workgroup_size(1) fn main(@builtin(workgroup_id) wid: vec3u) {
      outputs[wid.x] = philox4x32(inputs[wid.x].counter, inputs[wid.x].key);
    }`;
  const given = gpu.storage("counters and keys", 32 * inputs.length);
  const words = gpu.storage("words", 16 * inputs.length);
  gpu.write(given, Uint32Array.from(inputs.flatMap(([counter, key]) => [...counter, ...key, 0, 0])));
  await gpu.scoped("philox", () => {
    const module = gpu.device.createShaderModule({ code });
    const pipeline = gpu.device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
    const entries = [given, words].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(inputs.length);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
  });
  const out = new Uint32Array(await gpu.read(words, 16 * inputs.length));
  return inputs.map((_, i) => Array.from(out.subarray(4 * i, 4 * i + 4)) as unknown as Words4);
}

/** What the kernel `normal` writes: one row of values per seed. */
async function normalOnGpu(seeds: readonly number[], draw: number, elements: number): Promise<Float32Array[]> {
  const run = await prepareKernel(gpu, normal, {
    name: "samples",
    params: { batch: seeds.length, elements },
    inputs: (name) => Uint32Array.from(name === "draw" ? [draw] : seeds),
  });
  await run.program.run();
  const { z } = (await run.outputs()) as { z: Float32Array };
  run.program.destroy();
  return seeds.map((_, n) => z.slice(n * elements, (n + 1) * elements));
}

describe("Philox 4x32-10", () => {
  it("gives Random123's known answers in TypeScript", () => {
    for (const [counter, key, words] of KNOWN) expect(philox4x32(counter, key)).toEqual(words);
  });

  it("gives Random123's known answers on the GPU", async () => {
    expect(await philoxOnGpu(KNOWN.map(([counter, key]) => [counter, key]))).toEqual(KNOWN.map(([, , words]) => words));
  });

  it("gives the same words on the GPU as in TypeScript", async () => {
    let words: Words4 = [1, 2, 3, 4];
    const inputs: [Words4, Words2][] = [];
    for (let i = 0; i < 500; i++) {
      const key: Words2 = [words[3], words[1]];
      inputs.push([words, key]);
      words = philox4x32(words, key);
    }
    expect(await philoxOnGpu(inputs)).toEqual(inputs.map(([counter, key]) => philox4x32(counter, key)));
  });
});

describe("normal values", () => {
  const LENGTH = 1 << 19;
  /** Samples [draw][seed] of two seeds, two draws: 2 million values. */
  let samples: Float32Array[][];
  beforeAll(async () => {
    samples = [await normalOnGpu([1, 2], 0, LENGTH), await normalOnGpu([1, 2], 1, LENGTH)];
  });

  /** Deviation of a mean of products from its expectation, in standard errors. */
  function deviation(mean: number, expected: number, variance: number, count: number): number {
    return Math.abs(mean - expected) / Math.sqrt(variance / count);
  }

  it("have the first four moments of a standard normal distribution", () => {
    const all = [...samples[0]!, ...samples[1]!].map((row) => Float64Array.from(row));
    const count = all.length * LENGTH;
    const moment = (power: number) =>
      all.reduce((sum, row) => sum + row.reduce((s, v) => s + v ** power, 0), 0) / count;
    // Moments E[z^k] of order 1, 2, 3, 4 and the variance of z^k.
    expect(deviation(moment(1), 0, 1, count)).toBeLessThan(4.5);
    expect(deviation(moment(2), 1, 2, count)).toBeLessThan(4.5);
    expect(deviation(moment(3), 0, 15, count)).toBeLessThan(4.5);
    expect(deviation(moment(4), 3, 96, count)).toBeLessThan(4.5);
  });

  it("have normal tails and are all finite", () => {
    for (const row of samples.flat()) {
      let [beyond1, beyond2, beyond3, largest] = [0, 0, 0, 0];
      for (const v of row) {
        const size = Math.abs(v);
        if (size > 1) beyond1++;
        if (size > 2) beyond2++;
        if (size > 3) beyond3++;
        largest = Number.isFinite(v) ? Math.max(largest, size) : Number.POSITIVE_INFINITY;
      }
      for (const [seen, p] of [
        [beyond1, 0.31731050786],
        [beyond2, 0.04550026389],
        [beyond3, 0.00269979606],
      ] as const) {
        expect(deviation(seen / LENGTH, p, p * (1 - p), LENGTH)).toBeLessThan(4.5);
      }
      expect(largest).toBeGreaterThan(4);
      expect(largest).toBeLessThan(6.67);
    }
  });

  it("are uncorrelated between neighbours, seeds and draws, squares included", () => {
    const correlated = (a: ArrayLike<number>, b: ArrayLike<number>, lag = 0) => {
      let [sum, squares] = [0, 0];
      const count = LENGTH - lag;
      for (let i = 0; i < count; i++) {
        sum += a[i]! * b[i + lag]!;
        squares += (a[i]! ** 2 - 1) * (b[i + lag]! ** 2 - 1);
      }
      return Math.max(deviation(sum / count, 0, 1, count), deviation(squares / count, 0, 4, count));
    };
    const [[a, b], [c]] = samples as [[Float32Array, Float32Array], [Float32Array, Float32Array]];
    for (const lag of [1, 2, 3, 4, 5, 8, 64, 256, 1024]) expect(correlated(a, a, lag), `lag ${lag}`).toBeLessThan(4.5);
    expect(correlated(a, b), "seeds").toBeLessThan(4.5);
    expect(correlated(a, c), "draws").toBeLessThan(4.5);
    expect(correlated(b, c, 1), "seeds and draws").toBeLessThan(4.5);
  });

  it("depend on seed, draw and element alone", async () => {
    const alone = await normalOnGpu([2], 1, 1001);
    expect(alone[0]).toEqual(samples[1]![1]!.slice(0, 1001));
    const among = await normalOnGpu([9, 2, 9], 1, 1001);
    expect(among[1]).toEqual(alone[0]);
    expect(among[0]).toEqual(among[2]);
    expect(among[0]).not.toEqual(among[1]);
  });

  it("agree with float64 to rounding, element by element", () => {
    const expected = normals(1, 0, 40_000);
    const largest = expected.reduce((worst, v, i) => Math.max(worst, Math.abs(v - samples[0]![0]![i]!)), 0);
    expect(largest).toBeLessThan(1e-6);
  });
});
