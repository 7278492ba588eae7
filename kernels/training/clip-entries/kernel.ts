import { read, update } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type ClipEntriesParams, reference } from "./reference.js";

/** Clips single entries of a bank to [0, 1], in place. */
export const clipEntries = elementwise<ClipEntriesParams>({
  name: "clip-entries",
  group: "training",
  source,
  counts: ({ elements, count }) => ({ elements, count }),
  threads: ({ count }) => count,
  buffers({ elements, count }) {
    return [read("indices", count, "u32"), update("w", elements)];
  },
  flops: ({ count }) => 2 * count,
  reference,
  cases: [
    { name: "the only entry, above", params: { elements: 1, count: 1 }, inputs: entries(() => 1.3) },
    { name: "every third, the ends stay", params: { elements: 390, count: 130 }, inputs: entries((i) => (i % 6) / 3) },
    { name: "normal values", params: { elements: 3 * 4096, count: 4096 }, inputs: entries(undefined) },
  ],
  tolerance: { f32: 0, f16: 0 },
});

/** Entries 0, 3, 6, … of values that `value` gives. */
function entries(value: ((i: number) => number) | undefined) {
  return (name: string, length: number): Float32Array | Uint32Array | undefined => {
    if (name === "indices") return Uint32Array.from({ length }, (_, i) => 3 * i);
    return value && Float32Array.from({ length }, (_, i) => value(i));
  };
}
