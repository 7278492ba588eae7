import { read, write } from "../../lib/buffers.js";
import complex from "../../lib/complex.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import { halfOf, hermitian } from "../../lib/half-spectrum.js";
import source from "./kernel.wgsl.js";
import { type HermitianParams, reference } from "./reference.js";

/** The weighted Hermitian part of centred spectra, as half spectra. */
export const hermitianFold = elementwise<HermitianParams>({
  ...hermitian("hermitian-fold"),
  source,
  parts: [{ file: "kernels/lib/complex.wgsl", text: complex }],
  threads: ({ planes, rows, columns }) => planes * rows * halfOf(columns),
  buffers: ({ planes, rows, columns }) => [
    read("x", 2 * planes * rows * columns),
    read("mask", rows * columns),
    read("turns", 2 * (rows + columns)),
    write("y", 2 * planes * rows * halfOf(columns)),
  ],
  flops: ({ planes, rows, columns }) => 8 * planes * rows * halfOf(columns),
  reference,
});
