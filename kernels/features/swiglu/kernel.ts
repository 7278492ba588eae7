import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import exp from "../../lib/exp.wgsl.js";
import source from "./kernel.wgsl.js";
import { reference, type SwigluParams } from "./reference.js";

/** x [N, 2 C, P], b [2 C] to y [N, C, P]. */
export const swiglu = elementwise<SwigluParams>({
  name: "swiglu",
  group: "features",
  source,
  parts: [{ file: "kernels/lib/exp.wgsl", text: exp }],
  counts: ({ images, channels, columns }) => ({ images, channels, columns }),
  buffers: ({ channels }, n) => [read("x", 2 * n), read("b", 2 * channels), write("y", n)],
  flops: (_, n) => 20 * n,
  reference,
  cases: [
    { name: "one value", params: { images: 1, channels: 1, columns: 1 } },
    { name: "odd sizes", params: { images: 3, channels: 5, columns: 7 } },
    {
      name: "large values",
      params: { images: 1, channels: 4, columns: 50 },
      inputs: (name, length, random) => (name === "x" ? Float32Array.from({ length }, () => 60 * random()) : undefined),
    },
    { name: "a layer", params: { images: 1, channels: 512, columns: 260 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
