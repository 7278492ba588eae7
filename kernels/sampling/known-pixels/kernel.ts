import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type KnownPixelsParams, reference } from "./reference.js";

/** y = known where mask is not 0, else x: all [elements] f32. */
export const knownPixels = elementwise<KnownPixelsParams>({
  name: "known-pixels",
  group: "sampling",
  source,
  counts: ({ elements }) => ({ elements }),
  buffers: (_, n) => [read("x", n), read("known", n), read("mask", n), write("y", n)],
  flops: () => 0,
  reference,
  cases: [
    { name: "one value", params: { elements: 1 }, inputs: masked },
    { name: "odd length", params: { elements: 131 }, inputs: masked },
    {
      name: "nothing of what is not taken",
      params: { elements: 60 },
      inputs: (name, length, random) => {
        if (name === "mask") return Float32Array.from({ length }, (_, i) => i % 2);
        const absent = name === "x" ? 1 : 0;
        return Float32Array.from({ length }, (_, i) => (i % 2 === absent ? Number.NaN : random()));
      },
    },
    { name: "images", params: { elements: 16 * 3 * 1024 }, inputs: masked },
  ],
  tolerance: { f32: 0, f16: 0 },
});

function masked(name: string, length: number) {
  return name === "mask" ? Float32Array.from({ length }, (_, i) => Number((i * 7) % 5 < 2)) : undefined;
}
