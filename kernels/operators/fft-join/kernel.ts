import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { type HalfSpectrumParams, halfOf, halfSpectrum } from "../../lib/half-spectrum.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

const values = ({ planes, height, columns }: HalfSpectrumParams) => planes * Math.ceil(height / 2) * columns;

/** Half spectra of rows to spectra of paired real rows: the input of the inverse row transforms. */
export const fftJoin = elementwise<HalfSpectrumParams>({
  ...halfSpectrum("fft-join"),
  source,
  threads: values,
  buffers: (p) => [read("x", 2 * p.planes * p.rows * halfOf(p.columns)), write("y", 2 * values(p))],
  flops: (p) => 4 * values(p),
  reference,
});
