import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AxisProductParams, reference } from "./reference.js";

/** A dense matrix along one axis. */
export const axisProduct = elementwise<AxisProductParams>({
  name: "axis-product",
  group: "operators",
  source,
  counts: ({ outer, from, to, inner }) => ({ outer, from, to, inner }),
  threads: ({ outer, to, inner }) => Math.ceil((outer * inner) / 4) * Math.ceil(to / 4),
  buffers: ({ outer, from, to, inner }) => [
    read("x", outer * from * inner),
    read("m", from * 4 * Math.ceil(to / 4)),
    write("y", outer * to * inner),
  ],
  uniforms: ({ outer, from, inner }) => ({ extent: from, lines: outer * inner }),
  flops: ({ outer, from, to, inner }) => 2 * outer * from * to * inner,
  reference,
  cases: [
    { name: "one value", params: { outer: 1, from: 1, to: 1, inner: 1 } },
    { name: "columns, odd", params: { outer: 7, from: 13, to: 9, inner: 1 } },
    { name: "rows, odd", params: { outer: 3, from: 5, to: 6, inner: 11 } },
    { name: "rows of images", params: { outer: 6, from: 64, to: 64, inner: 64 } },
    { name: "columns of images", params: { outer: 384, from: 64, to: 16, inner: 1 } },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});
