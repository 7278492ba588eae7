import { read, update } from "../../lib/buffers.js";
import { multipleOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AddParams, reference } from "./reference.js";

/** a <- a + b over a bank, in place. */
export const add = elementwise<AddParams>({
  name: "add",
  group: "training",
  source,
  counts: ({ elements }) => ({ elements }),
  check: ({ elements }) => multipleOf("add", "elements", elements, 4),
  threads: ({ elements }) => elements / 4,
  buffers({ elements }) {
    return [read("b", elements), update("a", elements)];
  },
  flops: ({ elements }) => elements,
  reference,
  cases: [
    { name: "one quad", params: { elements: 4 } },
    { name: "past a workgroup", params: { elements: 260 } },
    {
      name: "NaN and infinities stay, to be counted",
      params: { elements: 64 },
      inputs: (_, length, random) =>
        Float32Array.from({ length }, (_, i) => [Number.NaN, Infinity, -Infinity][i % 9] ?? random()),
    },
    { name: "a small network", params: { elements: 2 ** 18 } },
  ],
  tolerance: { f32: 1e-7, f16: 1e-7 },
});
