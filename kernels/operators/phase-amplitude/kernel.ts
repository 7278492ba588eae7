import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, finiteNumber, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type PhaseAmplitudeParams, reference } from "./reference.js";

/** Centred amplitudes from the half spectrum of a real image. */
export const phaseAmplitude: Kernel<PhaseAmplitudeParams> = {
  name: "phase-amplitude",
  source: [{ file: "kernels/operators/phase-amplitude/kernel.wgsl", text: source }],
  check({ planes, rows, columns, factor }) {
    for (const [name, value] of Object.entries({ planes, rows, columns }))
      positiveInteger("phase-amplitude", name, value);
    finiteNumber("phase-amplitude", "factor", factor);
    addressable("phase-amplitude", "x", planes, rows, columns + 2);
  },
  buffers({ planes, rows, columns }) {
    return [
      { name: "x", access: "read", type: "f32", length: 2 * planes * rows * (Math.floor(columns / 2) + 1) },
      { name: "y", access: "write", type: "f32", length: planes * rows * columns },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ planes, rows, columns, factor }) => ({
    planes,
    rows,
    columns,
    half: Math.floor(columns / 2) + 1,
    factor,
  }),
  grid: ({ planes, rows, columns }, _variant, caps) => grid1d(planes * rows * columns, 64, caps),
  cost({ planes, rows, columns }) {
    return { flops: 5 * planes * rows * columns, bytes: 4 * planes * rows * (2 * columns + 2) };
  },
  reference,
  cases: [
    { name: "one value", params: { planes: 1, rows: 1, columns: 1, factor: 1 } },
    { name: "odd sizes", params: { planes: 2, rows: 5, columns: 7, factor: 0.25 } },
    { name: "even sizes", params: { planes: 3, rows: 8, columns: 10, factor: 1 / Math.sqrt(80) } },
    { name: "an image", params: { planes: 1, rows: 96, columns: 96, factor: 1 / 96 } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
};
