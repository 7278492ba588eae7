import { read, update } from "../../lib/buffers.js";
import { oneOf, positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type DistanceWeightParams, reference } from "./reference.js";

/** Weights [rows] by the lengths of the targets [rows, dims]. */
export const distanceWeight = elementwise<DistanceWeightParams>({
  name: "distance-weight",
  group: "energy",
  source,
  counts: ({ rows, dims }) => ({ rows, dims }),
  check({ sigma, power }) {
    positiveNumber("distance-weight", "sigma", sigma);
    oneOf("distance-weight", "power", power, [1, 2]);
  },
  threads: ({ rows }) => rows,
  buffers: ({ rows, dims }) => [read("goal", rows * dims), update("weight", rows)],
  uniforms: ({ sigma }) => ({ square: sigma ** 2 }),
  flops: ({ dims }, n) => (2 * dims + 4) * n,
  reference,
  cases: [
    { name: "one value", params: { rows: 1, dims: 1, sigma: 0.1, power: 1 } },
    { name: "squares", params: { rows: 130, dims: 3, sigma: 0.5, power: 2 } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
