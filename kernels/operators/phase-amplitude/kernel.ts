import { read, write } from "../../lib/buffers.js";
import { finiteNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { halfOf } from "../../lib/half-spectrum.js";
import source from "./kernel.wgsl.js";
import { type PhaseAmplitudeParams, reference } from "./reference.js";

/** Centred amplitudes from the half spectrum of a real image. */
export const phaseAmplitude = elementwise<PhaseAmplitudeParams>({
  name: "phase-amplitude",
  group: "operators",
  source,
  counts: ({ planes, rows, columns }) => ({ planes, rows, columns }),
  check({ factor }) {
    finiteNumber("phase-amplitude", "factor", factor);
  },
  buffers: ({ planes, rows, columns }, n) => [read("x", 2 * planes * rows * halfOf(columns)), write("y", n)],
  uniforms: ({ columns }) => ({ half: halfOf(columns) }),
  flops: (_, n) => 5 * n,
  reference,
  cases: [
    { name: "one value", params: { planes: 1, rows: 1, columns: 1, factor: 1 } },
    { name: "odd sizes", params: { planes: 2, rows: 5, columns: 7, factor: 0.25 } },
    { name: "even sizes", params: { planes: 3, rows: 8, columns: 10, factor: 1 / Math.sqrt(80) } },
    { name: "an image", params: { planes: 1, rows: 96, columns: 96, factor: 1 / 96 } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
