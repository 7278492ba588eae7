import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { inRange, positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import exp from "../../lib/exp.wgsl.js";
import math from "../../lib/math.wgsl.js";
import source from "./kernel.wgsl.js";
import { type MixtureDensityParams, reference } from "./reference.js";

/** Log density and score of a Gaussian mixture at x [rows, dims], times a factor. */
export const mixtureDensity = elementwise<MixtureDensityParams>({
  name: "mixture-density",
  group: "sampling",
  source,
  parts: [
    { file: "kernels/lib/math.wgsl", text: math },
    { file: "kernels/lib/exp.wgsl", text: exp },
  ],
  counts: ({ rows, dims, count }) => ({ rows, dims, count }),
  check({ dims, factor }) {
    // Three rows of an invocation's own memory.
    inRange("mixture-density", "dims", dims, 1, 128);
    positiveNumber("mixture-density", "factor", factor);
  },
  threads: ({ rows }) => rows,
  buffers: ({ dims, count }, rows) => [
    read("x", rows * dims),
    read("means", count * dims),
    read("factors", count * dims * dims),
    read("logs", count),
    write("phi", rows),
    write("o", rows * dims),
  ],
  variant: ({ dims }) => ({ key: `${dims}`, prelude: `const DIM: u32 = ${dims}u;` }),
  flops: ({ dims, count }, rows) => rows * count * (2 * dims * dims + 8 * dims + 60),
  reference,
  cases: [
    at("one of everything", { rows: 1, dims: 1, count: 1, factor: 1 }),
    at("several components", { rows: 77, dims: 2, count: 20, factor: 0.01 }),
    at("far from all components", { rows: 9, dims: 3, count: 4, factor: 0.01 }, 40),
    at("many coordinates", { rows: 130, dims: 50, count: 5, factor: 0.01 }),
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});

/** Factors are lower triangles near multiples of the identity; what stands above is not read. */
function at(name: string, params: MixtureDensityParams, spread = 1): Case<MixtureDensityParams> {
  const { dims } = params;
  const inputs = (buffer: string, length: number, random: () => number) => {
    if (buffer === "x") return Float32Array.from({ length }, () => spread * random());
    if (buffer !== "factors") return undefined;
    return Float32Array.from({ length }, (_, i) => {
      const [row, column] = [Math.floor(i / dims) % dims, i % dims];
      return column > row ? Number.NaN : (row === column ? 2 : 0) + (0.3 * random()) / Math.sqrt(dims);
    });
  };
  return { name, params, inputs };
}
