import { read, write } from "../../lib/buffers.js";
import { inRange, oneOf, positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import exp from "../../lib/exp.wgsl.js";
import { noiseParts } from "../../lib/philox.js";
import source from "./kernel.wgsl.js";
import { type PointDrawParams, reference, strides } from "./reference.js";

/** Data, labels and a box to the points x of a step, their own data, weights, and with `diffusion` what is learnt there. */
export const pointDraw = elementwise<PointDrawParams>({
  name: "point-draw",
  group: "energy",
  source,
  parts: [...noiseParts, { file: "kernels/lib/exp.wgsl", text: exp }],
  counts: ({ rows, dims, points, levels }) => ({ rows, dims, points, levels }),
  check({ rows, inside, sigmaMin, sigmaMax, power }) {
    inRange("point-draw", "inside", inside, 0, rows);
    positiveNumber("point-draw", "sigmaMin", sigmaMin);
    positiveNumber("point-draw", "sigmaMax", sigmaMax);
    oneOf("point-draw", "power", power, [0, -1, -2]);
  },
  threads: ({ rows }) => rows,
  buffers: ({ rows, dims, points, diffusion }) => [
    read("data", points * dims),
    read("labels", rows),
    read("box", 2 * dims),
    read("step", 1, "u32"),
    write("x", rows * dims),
    write("own", rows * dims),
    write("weight", rows),
    write("goal", diffusion ? rows * dims : 0),
  ],
  uniforms({ dims, sigmaMin, sigmaMax, levels }) {
    const [stride0, stride1, stride2, stride3] = strides(dims);
    return { rate: Math.log(sigmaMin / sigmaMax) / (levels - 1), stride0, stride1, stride2, stride3 };
  },
  flags: ({ diffusion }) => ({ DIFFUSION: diffusion }),
  flops: ({ dims }, n) => 30 * dims * n,
  reference,
  cases: [
    {
      name: "one row, one point",
      params: { rows: 1, dims: 1, points: 1, inside: 0, power: 0, diffusion: false },
    },
    { name: "half in the box", params: { rows: 130, dims: 2, points: 77, inside: 65, power: -1, diffusion: false } },
    { name: "odd coordinates", params: { rows: 65, dims: 7, points: 1000, inside: 3, power: -2, diffusion: true } },
  ].map(({ name, params }) => ({
    name,
    params: { ...params, sigmaMin: 0.1, sigmaMax: 2, levels: 100, seed: 7 },
    inputs: (buffer: string, length: number) => {
      if (buffer === "step") return Uint32Array.of(12_345);
      if (buffer === "labels") return Float32Array.from({ length }, (_, i) => (i * 37) % 100);
      return buffer === "box" ? Float32Array.from({ length }, (_, i) => i - length / 2) : undefined;
    },
  })),
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
