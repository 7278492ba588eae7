import type { Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { summing } from "../../lib/entry.js";
import math from "../../lib/math.wgsl.js";
import { type MixtureParams, mixtureInputs, mixtureParts } from "../../lib/mixture.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** x [rows, dims] at levels sigma to coordinates t [rows, parts, dims] and logits [rows, parts] of a mixture's components. */
export const mixtureCoordinates: Kernel<MixtureParams> = {
  name: "mixture-coordinates",
  source: [
    { file: "kernels/lib/math.wgsl", text: math },
    ...summing(),
    { file: "kernels/priors/mixture-coordinates/kernel.wgsl", text: source },
  ],
  ...mixtureParts("mixture-coordinates"),
  buffers({ rows, parts, dims }) {
    return [
      read("x", rows * dims),
      read("sigma", rows),
      read("means", parts * dims),
      read("vectors", parts * dims * dims),
      read("values", parts * dims),
      read("logs", parts),
      write("t", rows * parts * dims),
      write("logits", rows * parts),
    ];
  },
  cost({ rows, parts, dims }) {
    const kept = 2 * rows * dims + rows + parts * (2 * dims + dims * dims + 1) + rows * parts * (dims + 1);
    return { flops: rows * parts * dims * (3 * dims + 30), bytes: 4 * kept };
  },
  reference,
  cases: [
    { name: "one value", params: { rows: 1, parts: 1, dims: 1 }, inputs: mixtureInputs([0.5]) },
    {
      name: "odd sizes at many levels",
      params: { rows: 4, parts: 3, dims: 13 },
      inputs: mixtureInputs([0.01, 0.3, 2, 80]),
    },
    {
      name: "more dimensions than a workgroup",
      params: { rows: 2, parts: 2, dims: 150 },
      inputs: mixtureInputs([0.1, 5]),
    },
    { name: "twenty components", params: { rows: 16, parts: 20, dims: 50 }, inputs: mixtureInputs([0.002, 1]) },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
};
