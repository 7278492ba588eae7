import { read, write } from "../../lib/buffers.js";
import { multipleOf } from "../../lib/check.js";
import complex from "../../lib/complex.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AliasFoldParams, reference, spectraOf } from "./reference.js";

/** A blur that keeps every f-th pixel, or the inner part of its likelihood step, on half spectra; level = [s, rho]. */
export const aliasFold = elementwise<AliasFoldParams>({
  name: "alias-fold",
  group: "operators",
  source,
  parts: [{ file: "kernels/lib/complex.wgsl", text: complex }],
  counts: ({ planes, rows, columns, factor }) => ({ planes, rows, columns, factor }),
  check({ rows, columns, factor }) {
    multipleOf("alias-fold", "rows", rows, factor);
    multipleOf("alias-fold", "columns", columns, factor);
  },
  threads: (p) => p.planes * spectraOf(p).small,
  buffers(p, n) {
    const { whole, small } = spectraOf(p);
    return [
      read("x", 2 * p.planes * whole),
      read("z", p.draw ? 2 * p.planes * whole : 0),
      read("transfer", 2 * whole),
      read("measured", p.draw ? 2 * n : 0),
      read("squares", p.draw ? small : 0),
      read("level", p.draw ? 2 : 0),
      write("y", 2 * n),
    ];
  },
  flags: ({ draw }) => ({ DRAW: draw }),
  flops: ({ factor, draw }, n) => (draw ? 16 : 8) * factor ** 2 * n,
  reference,
  cases: [
    { name: "one value", params: { planes: 1, rows: 1, columns: 1, factor: 1, draw: false }, inputs },
    { name: "odd sizes", params: { planes: 2, rows: 9, columns: 15, factor: 3, draw: false }, inputs },
    { name: "even sizes, a draw", params: { planes: 3, rows: 12, columns: 10, factor: 2, draw: true }, inputs },
    {
      name: "odd measurement of an even picture",
      params: { planes: 1, rows: 6, columns: 20, factor: 2, draw: true },
      inputs,
    },
    { name: "images", params: { planes: 6, rows: 64, columns: 64, factor: 4, draw: true }, inputs },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});

function inputs(name: string, length: number, random: () => number): Float32Array | undefined {
  if (name === "level") return Float32Array.of(0.05, 0.5);
  return name === "squares" ? Float32Array.from({ length }, () => random() ** 2) : undefined;
}
