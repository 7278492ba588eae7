import type { Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { summing } from "../../lib/entry.js";
import { type MixtureParams, mixtureInputs, mixtureParts } from "../../lib/mixture.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** Directions v [rows, dims] to coordinates a [rows, parts, dims], and slopes [rows, parts] of a mixture's logits along them. */
export const mixtureSlopes: Kernel<MixtureParams> = {
  name: "mixture-slopes",
  source: [...summing(), { file: "kernels/priors/mixture-slopes/kernel.wgsl", text: source }],
  ...mixtureParts("mixture-slopes"),
  buffers({ rows, parts, dims }) {
    return [
      read("v", rows * dims),
      read("sigma", rows),
      read("t", rows * parts * dims),
      read("vectors", parts * dims * dims),
      read("values", parts * dims),
      write("a", rows * parts * dims),
      write("slopes", rows * parts),
    ];
  },
  cost({ rows, parts, dims }) {
    const kept = rows * dims + rows + parts * dims * (dims + 1) + rows * parts * (2 * dims + 1);
    return { flops: rows * parts * dims * (2 * dims + 4), bytes: 4 * kept };
  },
  reference,
  cases: [
    { name: "one value", params: { rows: 1, parts: 1, dims: 1 }, inputs: mixtureInputs([0.5]) },
    {
      name: "odd sizes at many levels",
      params: { rows: 4, parts: 3, dims: 13 },
      inputs: mixtureInputs([0.1, 0.3, 2, 80]),
    },
    {
      name: "more dimensions than a workgroup",
      params: { rows: 2, parts: 2, dims: 150 },
      inputs: mixtureInputs([0.3, 5]),
    },
  ],
  tolerance: { f32: 3e-6, f16: 3e-6 },
};
