import { read, update, write } from "../../lib/buffers.js";
import { oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type MixtureMeanParams, reference } from "./reference.js";

/** Weights [rows, parts] and coordinates t [rows, parts, dims] (mixture-coordinates) to means, draws or slopes y [rows, dims]. */
export const mixtureMean = elementwise<MixtureMeanParams>({
  name: "mixture-mean",
  group: "priors",
  source,
  counts: ({ rows, parts, dims }) => ({ rows, parts, dims }),
  check: ({ what }) => oneOf("mixture-mean", "what", what, ["mean", "draw", "slopes"]),
  threads: ({ rows, dims }) => rows * dims,
  buffers({ rows, parts, dims, what }) {
    return [
      read("w", rows * parts),
      read("sigma", rows),
      read("t", rows * parts * dims),
      read("means", what === "slopes" ? 0 : parts * dims),
      read("vectors", parts * dims * dims),
      read("values", parts * dims),
      read("z", what === "draw" ? rows * dims : 0),
      what === "slopes" ? update("y", rows * dims) : write("y", rows * dims),
    ];
  },
  flags: ({ what }) => ({ DRAW: what === "draw", SLOPES: what === "slopes" }),
  flops: ({ rows, parts, dims }) => 6 * rows * parts * dims * dims,
  reference,
  cases: [
    { name: "one value", params: { rows: 1, parts: 1, dims: 1, what: "mean" }, inputs: mixture([0.5]) },
    { name: "odd sizes", params: { rows: 4, parts: 3, dims: 13, what: "mean" }, inputs: mixture([0.01, 0.3, 2, 80]) },
    { name: "draws", params: { rows: 3, parts: 4, dims: 7, what: "draw" }, inputs: mixture([0.01, 1, 80], true) },
    { name: "slopes", params: { rows: 3, parts: 2, dims: 9, what: "slopes" }, inputs: mixture([0.1, 1, 10]) },
    { name: "twenty components", params: { rows: 16, parts: 20, dims: 50, what: "mean" }, inputs: mixture([0.002, 1]) },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});

/** Levels in turn, eigenvalues that aren't negative, some of them 0; every third weight alone, if so. */
function mixture(levels: readonly number[], single = false) {
  return (name: string, length: number, random: () => number) => {
    if (name === "sigma") return Float32Array.from({ length }, (_, i) => levels[i % levels.length]!);
    if (name === "values") return Float32Array.from({ length }, (_, i) => (i % 5 === 4 ? 0 : random() ** 2));
    return name === "w" && single ? Float32Array.from({ length }, (_, i) => Number(i % 3 === 1)) : undefined;
  };
}
