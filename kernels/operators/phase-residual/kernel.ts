import { read, write } from "../../lib/buffers.js";
import { finiteNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { halfOf } from "../../lib/half-spectrum.js";
import source from "./kernel.wgsl.js";
import { type PhaseResidualParams, reference } from "./reference.js";

/** Spectrum of the gradient of the squared difference of amplitudes, from the half spectrum of a real image. */
export const phaseResidual = elementwise<PhaseResidualParams>({
  name: "phase-residual",
  group: "operators",
  source,
  counts: ({ planes, rows, columns }) => ({ planes, rows, columns }),
  check({ factor }) {
    finiteNumber("phase-residual", "factor", factor);
  },
  threads: ({ planes, rows, columns }) => planes * rows * halfOf(columns),
  buffers({ planes, rows, columns }) {
    const length = 2 * planes * rows * halfOf(columns);
    return [read("x", length), read("measured", planes * rows * columns), write("y", length)];
  },
  uniforms: ({ columns }) => ({ half: halfOf(columns) }),
  flops: ({ planes, rows, columns }) => 7 * planes * rows * columns,
  reference,
  cases: [
    { name: "one value", params: { planes: 1, rows: 1, columns: 1, factor: 1 }, inputs: spectrum },
    { name: "odd sizes", params: { planes: 2, rows: 5, columns: 7, factor: 0.25 }, inputs: spectrum },
    { name: "even sizes", params: { planes: 3, rows: 8, columns: 10, factor: 1 / Math.sqrt(80) }, inputs: spectrum },
    { name: "an image", params: { planes: 1, rows: 96, columns: 96, factor: 1 / 96 }, inputs: spectrum },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

/** Some zeros, and some values whose squares are below the smallest number. */
function spectrum(name: string, length: number, random: () => number): Float32Array | undefined {
  if (name !== "x") return undefined;
  return Float32Array.from({ length }, (_, i) => [0, 1e-25, 1, 30][Math.floor(i / 2) % 4]! * random());
}
