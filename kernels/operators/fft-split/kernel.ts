import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { type HalfSpectrumParams, halfOf, halfSpectrum } from "../../lib/half-spectrum.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

const values = ({ planes, columns, rows }: HalfSpectrumParams) => planes * rows * halfOf(columns);

/** Row transforms of paired real rows to one half spectrum per row. */
export const fftSplit = elementwise<HalfSpectrumParams>({
  ...halfSpectrum("fft-split"),
  source,
  threads: values,
  buffers: (p) => [read("x", 2 * p.planes * Math.ceil(p.height / 2) * p.columns), write("y", 2 * values(p))],
  flops: (p) => 4 * values(p),
  reference,
});
