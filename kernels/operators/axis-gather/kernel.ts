import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { finiteNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AxisGatherParams, reference } from "./reference.js";

/** A sparse linear map along one axis: a resizing, its adjoint, or the residual of a resizing. */
export const axisGather = elementwise<AxisGatherParams>({
  name: "axis-gather",
  group: "operators",
  source,
  counts: ({ outer, from, to, inner, taps }) => ({ outer, from, to, inner, taps }),
  check({ factor }) {
    finiteNumber("axis-gather", "factor", factor);
  },
  threads: ({ outer, to, inner }) => outer * to * inner,
  buffers({ outer, from, to, inner, taps, residual }) {
    return [
      read("x", outer * from * inner),
      read("weights", taps * to),
      read("positions", taps * to, "u32"),
      read("measured", residual ? outer * to * inner : 0),
      write("y", outer * to * inner),
    ];
  },
  uniforms: ({ from }) => ({ extent: from }),
  flags: ({ residual }) => ({ RESIDUAL: residual }),
  flops({ outer, to, inner, taps, residual }) {
    const outputs = outer * to * inner;
    return (2 * taps + (residual ? 2 : 1)) * outputs;
  },
  reference,
  cases: [
    at("one value", { outer: 1, from: 1, to: 1, inner: 1, taps: 1, factor: 1, residual: false }),
    at("columns, odd", { outer: 3, from: 17, to: 5, inner: 7, taps: 9, factor: 1, residual: false }),
    at("rows, residual", { outer: 33, from: 24, to: 6, inner: 1, taps: 16, factor: -2, residual: true }),
    at("an enlargement", { outer: 3, from: 8, to: 32, inner: 32, taps: 4, factor: 2, residual: false }),
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

function at(name: string, params: AxisGatherParams): Case<AxisGatherParams> {
  const inputs = (buffer: string, length: number): Uint32Array | undefined =>
    buffer === "positions" ? Uint32Array.from({ length }, (_, i) => (i * 7 + 3) % params.from) : undefined;
  return { name, params, inputs };
}
