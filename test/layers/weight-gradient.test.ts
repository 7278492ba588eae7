import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reference } from "../../kernels/network/conv-weight-backward/reference.js";
import { convWeightBackwardProducts } from "../../kernels/network/conv-weight-backward-products/kernel.js";
import { narrowF16, widenF16 } from "../../src/checkpoint/half.js";
import type { AnyKernel, Caps } from "../../src/gpu/contract.js";
import type { Gpu } from "../../src/gpu/device.js";
import { Graph } from "../../src/graph/graph.js";
import { Program } from "../../src/graph/program.js";
import { normalSource, prepareKernel, relativeError } from "../../src/graph/run-kernel.js";
import type { ConvShape } from "../../src/layers/conv-algorithm.js";
import { BINDING_BYTES } from "../../src/layers/convolution.js";
import { convWeightGradient } from "../../src/layers/weight-gradient.js";
import {
  type GradientAlgorithm,
  gradientAlgorithm,
  gradientChoices,
} from "../../src/layers/weight-gradient-algorithm.js";
import { openTestGpu } from "../support/gpu.js";
import { loadFixture } from "../support/safetensors-fixture.js";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.close());

interface Given {
  readonly x: Float32Array<ArrayBuffer>;
  readonly g: Float32Array<ArrayBuffer>;
}

function random({ inChannels, outChannels, height, width }: ConvShape, batch: number): Given {
  const normal = normalSource(7);
  const images = (channels: number) => Float32Array.from({ length: batch * channels * height * width }, normal);
  return { x: images(inChannels), g: images(outChannels) };
}

/** The gradient, and the names of the nodes that make it. */
async function run(
  shape: ConvShape,
  batch: number,
  { x, g }: Given,
  algorithm?: GradientAlgorithm,
  bindingBytes?: number,
  device = gpu,
) {
  const graph = new Graph();
  const given = { x: graph.external("x", [x.length], "act"), g: graph.external("g", [g.length], "act") };
  const dw = convWeightGradient({ graph, batch, bindingBytes }, "dw", shape, given.x, given.g, algorithm);
  graph.kept.add(dw);
  const program = await Program.create(device, { label: "dw", graph });
  try {
    for (const name of ["x", "g"] as const) {
      const values = { x, g }[name];
      const stored = device.precision === "f16" ? narrowF16(values) : values;
      device.write(program.buffer(given[name]), stored);
    }
    await program.run();
    return { out: await program.readTensor(dw), nodes: graph.nodes.map(({ name }) => name) };
  } finally {
    program.destroy();
  }
}

const layer = (kernel: 1 | 3, inChannels: number, outChannels: number, height: number, width: number): ConvShape => ({
  kernel,
  inChannels,
  outChannels,
  height,
  width,
});

const LAYERS: readonly ConvShape[] = [
  layer(3, 35, 70, 17, 19),
  layer(3, 5, 9, 13, 7),
  layer(3, 12, 40, 8, 8),
  layer(3, 24, 40, 11, 13),
  layer(3, 64, 1, 16, 16),
  layer(3, 1, 33, 5, 6),
  layer(3, 3, 2, 1, 1),
  layer(3, 9, 12, 2, 3),
  layer(1, 48, 36, 8, 8),
  layer(1, 48, 40, 8, 6),
  layer(1, 7, 5, 3, 5),
  layer(1, 70, 35, 17, 19),
];
const nameOf = ({ kernel, inChannels, outChannels, height, width }: ConvShape) =>
  `${kernel}x${kernel} ${inChannels}>${outChannels} @${height}x${width}`;

/** Error of the algorithms, ||out - float64|| / ||float64||. */
const TOLERANCE = { 4: 3e-6, 2: 1e-6, taps: 1e-6, plain: 1e-6 };

describe("against the direct sum in float64", () => {
  for (const shape of LAYERS) {
    for (const batch of [1, 3]) {
      it(`${nameOf(shape)}, batch ${batch}`, async () => {
        const given = random(shape, batch);
        const { dw } = reference({ ...shape, batch }, { ...given });
        for (const algorithm of gradientChoices(shape)) {
          const { out } = await run(shape, batch, given, algorithm);
          expect(relativeError(out, dw!), `${algorithm}`).toBeLessThanOrEqual(TOLERANCE[algorithm]);
        }
      });
    }
  }
});

describe("long sums", () => {
  for (const [name, mean] of [
    ["that cancel", 0],
    ["of one sign", 2],
  ] as const) {
    it(`${name}: 16,384 pixels`, async () => {
      const shape = layer(3, 5, 6, 64, 64);
      const { x, g } = random(shape, 4);
      const given = { x: x.map((v) => v + mean), g: g.map((v) => v + mean) };
      const { dw } = reference({ ...shape, batch: 4 }, { ...given });
      for (const algorithm of [4, 2, "taps"] as const) {
        const { out } = await run(shape, 4, given, algorithm);
        expect(relativeError(out, dw!), `${algorithm}`).toBeLessThanOrEqual(TOLERANCE[algorithm]);
      }
    });
  }
});

describe("bits", () => {
  const shape = layer(3, 20, 30, 12, 11);
  const bits = (values: Float32Array) => Buffer.from(values.slice().buffer);

  it("are the same in every run", async () => {
    const given = random(shape, 2);
    for (const algorithm of gradientChoices(shape)) {
      const [first, second] = [await run(shape, 2, given, algorithm), await run(shape, 2, given, algorithm)];
      expect(bits(first.out).equals(bits(second.out))).toBe(true);
    }
  });

  it("are the same in parts of places and of output channels", async () => {
    const large = layer(3, 40, 33, 24, 23);
    const given = random(large, 8);
    for (const algorithm of [4, 2, "taps"] as const) {
      const whole = await run(large, 8, given, algorithm);
      const cut = await run(large, 8, given, algorithm, 400_000);
      expect(whole.nodes).toHaveLength(4);
      expect(cut.nodes.join(), `${algorithm}`).toMatch(/dw 2\/\d+\.product 2\/\d/);
      expect(bits(cut.out).equals(bits(whole.out)), `${algorithm}`).toBe(true);
    }
  });
});

describe("products that are the gradient", () => {
  const nodes = ["dw.gradient", "dw.input", "dw.product"];
  it.each([
    [layer(3, 40, 32, 16, 15), 3],
    [layer(3, 16, 72, 4, 4), 2],
    [layer(1, 136, 200, 16, 16), 2],
  ] as const)("of %j, batch %i, have the bits of the sums of pieces", async (shape, batch) => {
    const given = random(shape, batch);
    const { dw } = reference({ ...shape, batch }, { ...given });
    const whole = await run(shape, batch, given, "taps");
    expect(whole.nodes).toEqual(nodes);
    expect(relativeError(whole.out, dw!)).toBeLessThanOrEqual(TOLERANCE.taps);
    const cut = await run(shape, batch, given, "taps", 20_000);
    expect(cut.nodes.length).toBeGreaterThan(nodes.length);
    expect(Buffer.from(cut.out.buffer).equals(Buffer.from(whole.out.buffer))).toBe(true);
  });
});

describe("buffers", () => {
  it.each([
    [layer(3, 192, 192, 256, 256), 4],
    [layer(3, 2688, 1792, 16, 16), 64],
    [layer(3, 3584, 1792, 8, 8), 16],
    [layer(1, 1792, 5376, 8, 8), 256],
  ] as const)("of %j, batch %i, fit a binding, whatever the algorithm", (shape, batch) => {
    const { height, width, inChannels, outChannels } = shape;
    for (const algorithm of gradientChoices(shape)) {
      const graph = new Graph();
      const [x, g] = [inChannels, outChannels].map((channels, i) =>
        graph.external(`${i}`, [batch, channels, height, width], "act"),
      );
      const dw = convWeightGradient({ graph, batch }, "dw", shape, x!, g!, algorithm);
      const between = graph.tensors.filter((tensor) => tensor.kind === "activation" && tensor !== dw);
      for (const { name, length } of between) expect(4 * length, name).toBeLessThanOrEqual(BINDING_BYTES);
    }
  });
});

describe("in 16 bits", () => {
  it("images are read as halves, sums and results are f32", async () => {
    const half = await openTestGpu({ precision: "f16" });
    try {
      for (const shape of [layer(3, 35, 70, 17, 19), layer(3, 12, 40, 8, 8), layer(1, 48, 40, 8, 6)]) {
        const { x, g } = random(shape, 2);
        const rounded = { x: widenF16(narrowF16(x)), g: widenF16(narrowF16(g)) };
        const { dw } = reference({ ...shape, batch: 2 }, { ...rounded });
        for (const algorithm of gradientChoices(shape)) {
          const { out } = await run(shape, 2, rounded, algorithm, undefined, half);
          expect(relativeError(out, dw!), `${algorithm}`).toBeLessThanOrEqual(TOLERANCE[algorithm]);
        }
      }
    } finally {
      half.close();
    }
  });
});

describe("every loop of conv-weight-backward-products, whatever this adapter would choose", () => {
  const families: Record<string, Partial<Caps>> = {
    tiled: { software: false },
    plain: { software: true, subgroups: false },
  };
  for (const [family, forced] of Object.entries(families)) {
    const caps = (given: Caps): Caps => ({ ...given, ...forced });
    const kernel: AnyKernel = {
      ...convWeightBackwardProducts,
      variant: (p, given) => convWeightBackwardProducts.variant(p, caps(given)),
      grid: (p, variant, given) => convWeightBackwardProducts.grid(p, variant, caps(given)),
    };
    for (const test of convWeightBackwardProducts.cases) {
      it(`${family}: ${test.name}`, async () => {
        const prepared = await prepareKernel(gpu, kernel, test);
        expect(kernel.variant(test.params, gpu.caps).key).toContain(family);
        await prepared.program.run();
        const { y } = await prepared.outputs();
        const expected = convWeightBackwardProducts.reference(test.params, prepared.inputs).y!;
        expect(relativeError(y!, expected)).toBeLessThanOrEqual(convWeightBackwardProducts.tolerance.f32);
        prepared.program.destroy();
      });
    }
  }
});

describe("the choice", () => {
  it.each([
    [layer(3, 192, 192, 64, 64), 1, 4],
    [layer(3, 192, 192, 32, 32), 4, 4],
    [layer(3, 768, 768, 8, 8), 1, "taps"],
    [layer(3, 768, 768, 8, 8), 2, 2],
    [layer(1, 192, 192, 32, 32), 1, "taps"],
    [layer(3, 4, 4, 8, 8), 1, "plain"],
  ] as const)("for %j of batch %i is %s", (shape, batch, expected) => {
    expect(gradientAlgorithm(shape, batch)).toBe(expected);
  });
});

describe("recorded: 3x3, 35 to 70 channels, 17x19 pixels", () => {
  /** d of w = normalize(W) gain / sqrt(n) by the stored W, where G is by w (eps = 1e-4, RMS of a row). */
  function stored(G: ArrayLike<number>, W: Float64Array, rows: number, gain: number): Float64Array {
    const n = W.length / rows;
    const out = new Float64Array(W.length);
    for (let row = 0; row < rows; row++) {
      const at = row * n;
      let [squares, dot] = [0, 0];
      for (let i = 0; i < n; i++) squares += W[at + i]! ** 2;
      const r = Math.sqrt(squares / n);
      const s = r + 1e-4;
      const g = (i: number) => (G[at + i]! * gain) / Math.sqrt(n);
      for (let i = 0; i < n; i++) dot += g(i) * W[at + i]!;
      for (let i = 0; i < n; i++) out[at + i] = (g(i) - (W[at + i]! * dot) / (n * r * s)) / s;
    }
    return out;
  }

  it.each([4, 2, "taps", "plain"] as const)("%s", async (algorithm) => {
    const fixture = await loadFixture("training/large.safetensors");
    const [x, g, w] = ["x", "up", "w"].map((name) => fixture.f32(`large.conv3.${name}`));
    const shape = layer(3, 35, 70, 17, 19);
    const { out } = await run(shape, 2, { x: x!, g: g! }, algorithm);
    const gain = fixture.f64("large.conv3.gain")[0]!;
    const dw = stored(out, Float64Array.from(w!), 70, gain);
    expect(relativeError(dw, fixture.f64("large.conv3.grad.w.f64"))).toBeLessThanOrEqual(TOLERANCE[algorithm]);
  });
});
