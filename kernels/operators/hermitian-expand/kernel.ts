import { read, write } from "../../lib/buffers.js";
import complex from "../../lib/complex.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import { halfOf, hermitian } from "../../lib/half-spectrum.js";
import source from "./kernel.wgsl.js";
import { type HermitianParams, reference } from "./reference.js";

/** Masked whole spectra of real images as centred planes, from half spectra. */
export const hermitianExpand = elementwise<HermitianParams>({
  ...hermitian("hermitian-expand"),
  source,
  parts: [{ file: "kernels/lib/complex.wgsl", text: complex }],
  buffers: ({ planes, rows, columns }, n) => [
    read("x", 2 * planes * rows * halfOf(columns)),
    read("mask", rows * columns),
    read("turns", 2 * (rows + columns)),
    write("y", 2 * n),
  ],
  flops: (_, n) => 2 * n,
  reference,
});
