import { read, write } from "../../lib/buffers.js";
import { levels } from "../../lib/cases.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type SigmaCombineParams } from "./reference.js";

/** Two independent noisy views of one image as one (NCVSD, Proposition 2): y at sigma[n] and x at level[0], or level[n]. */
export const sigmaCombine = elementwise<SigmaCombineParams>({
  name: "sigma-combine",
  group: "sampling",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers: ({ batch, each }, n) => [
    read("y", n),
    read("sigma", batch),
    read("x", n),
    read("level", each ? batch : 3),
    write("yEff", n),
    write("sigmaEff", batch),
  ],
  flags: ({ each = false }) => ({ EACH: each }),
  flops: (_, n) => 7 * n,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1 }, inputs: views(80, 80, 80) },
    { name: "odd length, levels on both sides", params: { batch: 5, elements: 131 }, inputs: views(1e-3, 1e3, 0.7) },
    { name: "y far cleaner", params: { batch: 2, elements: 65 }, inputs: views(1e-3, 2e-3, 1e3) },
    { name: "x far cleaner", params: { batch: 2, elements: 65 }, inputs: views(900, 1000, 1e-3) },
    {
      name: "a level for each image",
      params: { batch: 5, elements: 131, each: true },
      inputs: (name, length) =>
        name === "x" || name === "y" ? undefined : levels(name === "sigma" ? 80 : 1e-3, 1, length),
    },
    { name: "an image", params: { batch: 1, elements: 3 * 32 * 32 }, inputs: views(80, 80, 12) },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

/** Levels of y from `low` to `high`, and that of x. */
function views(low: number, high: number, ofX: number) {
  return (name: string, length: number): Float32Array | undefined => {
    if (name === "level") return Float32Array.of(ofX, 0, 1);
    return name === "sigma" ? levels(low, high, length) : undefined;
  };
}
