import { read, write } from "../../lib/buffers.js";
import { finiteNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type ViewMeasureParams } from "./reference.js";

/** Amplitudes or intensities of complex waves, or the inner part of the gradient of their squared difference. */
export const viewMeasure = elementwise<ViewMeasureParams>({
  name: "view-measure",
  group: "operators",
  source,
  counts: ({ elements }) => ({ elements }),
  check({ factor }) {
    finiteNumber("view-measure", "factor", factor);
  },
  buffers: ({ residual }, n) => [
    read("x", 2 * n),
    read("measured", residual ? n : 0),
    write("y", residual ? 2 * n : n),
  ],
  flags: ({ intensity, residual }) => ({ INTENSITY: intensity, RESIDUAL: residual }),
  flops: (_, n) => 12 * n,
  reference,
  cases: [
    { name: "one value", params: { elements: 1, factor: 1, intensity: false, residual: false } },
    { name: "amplitudes, some 0", params: { elements: 130, factor: 0.25, intensity: false, residual: false }, inputs },
    { name: "intensities", params: { elements: 131, factor: 0.5, intensity: true, residual: false } },
    {
      name: "residual of amplitudes, some 0",
      params: { elements: 500, factor: 0.25, intensity: false, residual: true },
      inputs,
    },
    { name: "residual of intensities", params: { elements: 500, factor: 0.5, intensity: true, residual: true } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

/** Some zeros, and some values whose squares are below the smallest number. */
function inputs(name: string, length: number, random: () => number): Float32Array | undefined {
  if (name !== "x") return undefined;
  return Float32Array.from({ length }, (_, i) => [0, 1e-25, 1, 30][Math.floor(i / 2) % 4]! * random());
}
