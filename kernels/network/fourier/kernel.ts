import { read, write } from "../../lib/buffers.js";
import { spectrum } from "../../lib/cases.js";
import { elementwise } from "../../lib/elementwise.js";
import math from "../../lib/math.wgsl.js";
import mpFourier from "../../lib/mp-fourier.wgsl.js";
import source from "./kernel.wgsl.js";
import { type FourierParams, reference } from "./reference.js";

/** MPFourier of c_noise = ln(sigma) / 4: [N] levels to [N, C] features. */
export const fourier = elementwise<FourierParams>({
  name: "fourier",
  group: "network",
  source,
  parts: [
    { file: "kernels/lib/math.wgsl", text: math },
    { file: "kernels/lib/mp-fourier.wgsl", text: mpFourier },
  ],
  counts: ({ batch, channels }) => ({ batch, channels }),
  buffers: ({ batch, channels }, n) => [
    read("sigma", batch),
    read("freqs", channels),
    read("phases", channels),
    write("y", n),
  ],
  flops: (_, n) => 60 * n,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, channels: 1 }, inputs: spectrum(0.5, 0.5, 6) },
    { name: "odd channels, all levels", params: { batch: 29, channels: 67 }, inputs: spectrum(1e-4, 1e3, 40) },
    { name: "levels around 1", params: { batch: 17, channels: 64 }, inputs: spectrum(0.99, 1.01, 40) },
    { name: "several tens of turns", params: { batch: 15, channels: 33 }, inputs: spectrum(1e-4, 1e3, 400) },
    { name: "a network's embedding", params: { batch: 1, channels: 192 }, inputs: spectrum(80, 80, 20) },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
