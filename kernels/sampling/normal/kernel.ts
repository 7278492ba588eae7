import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { noiseParts } from "../../lib/philox.js";
import source from "./kernel.wgsl.js";
import { type NormalParams, reference } from "./reference.js";

/** Standard normal noise [N, E] of a draw number from one seed per image. */
export const normal = elementwise<NormalParams>({
  name: "normal",
  group: "sampling",
  source,
  parts: noiseParts,
  counts: ({ batch, elements }) => ({ batch, elements }),
  threads: ({ batch, elements }) => batch * Math.ceil(elements / 4),
  buffers({ batch, elements }) {
    return [read("seeds", batch, "u32"), read("draw", 1, "u32"), write("z", batch * elements)];
  },
  // About 110 integer operations for the ten rounds and 40 for the values, per four elements.
  flops: ({ batch, elements }) => 40 * batch * elements,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1 }, inputs: seeds(0, 0) },
    { name: "odd length, several seeds", params: { batch: 3, elements: 131 }, inputs: seeds(7, 3) },
    {
      name: "large seeds and draw number",
      params: { batch: 2, elements: 1030 },
      inputs: seeds(0xfffffff0, 0xffffffff),
    },
    { name: "an image", params: { batch: 1, elements: 3 * 64 * 64 }, inputs: seeds(2024, 12) },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

function seeds(first: number, draw: number) {
  return (name: string, length: number): Uint32Array =>
    Uint32Array.from({ length }, (_, i) => (name === "draw" ? draw : first + i));
}
