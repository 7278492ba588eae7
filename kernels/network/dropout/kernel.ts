import { read, write } from "../../lib/buffers.js";
import { fail, nonNegativeInteger } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { noiseParts } from "../../lib/philox.js";
import source from "./kernel.wgsl.js";
import { type DropoutParams, reference, threshold } from "./reference.js";

/** y = x m / (1 - p), the mask m drawn from the images' keys; its derivative is itself. */
export const dropout = elementwise<DropoutParams>({
  name: "dropout",
  group: "network",
  source,
  parts: noiseParts,
  counts: ({ batch, elements }) => ({ batch, elements }),
  check({ draw, layer, probability }) {
    nonNegativeInteger("dropout", "draw", draw);
    nonNegativeInteger("dropout", "layer", layer);
    if (!(probability >= 0 && probability < 1))
      fail("dropout", "probability must be a number from 0 to less than 1", probability);
  },
  threads: ({ batch, elements }) => batch * Math.ceil(elements / 4),
  buffers({ batch, elements }) {
    const values = batch * elements;
    return [read("x", values, "act"), read("keys", batch, "u32"), write("y", values, "act")];
  },
  uniforms: ({ probability }) => ({ threshold: threshold(probability), factor: 1 / (1 - probability) }),
  flops: ({ batch, elements }) => batch * elements,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1, draw: 3, layer: 0, probability: 0.5 }, inputs: keys(0) },
    {
      name: "odd length, several images",
      params: { batch: 3, elements: 131, draw: 3, layer: 7, probability: 0.1 },
      inputs: keys(7),
    },
    { name: "nothing dropped", params: { batch: 2, elements: 65, draw: 3, layer: 1, probability: 0 }, inputs: keys(5) },
    {
      name: "nearly all dropped, large keys",
      params: { batch: 2, elements: 1030, draw: 0xffffffff, layer: 0xffffffff, probability: 0.99 },
      inputs: keys(0xfffffffe),
    },
    {
      name: "NaN and infinities stay visible",
      params: { batch: 1, elements: 202, draw: 3, layer: 2, probability: 0.5 },
      inputs: keys(1, [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
    },
    {
      name: "64 channels at 64x64",
      params: { batch: 1, elements: 64 * 64 * 64, draw: 3, layer: 4, probability: 0.1 },
      inputs: keys(2024),
    },
  ],
  tolerance: { f32: 2e-7, f16: 1e-3 },
});

/** Keys of consecutive images; every fifth value of x is one of `bad`. */
function keys(first: number, bad: readonly number[] = []) {
  return (name: string, length: number, random: () => number): Float32Array | Uint32Array | undefined => {
    if (name === "keys") return Uint32Array.from({ length }, (_, i) => first + i);
    if (bad.length === 0) return undefined;
    return Float32Array.from({ length }, (_, i) => (i % 5 === 2 ? bad[i % bad.length]! : random()));
  };
}
