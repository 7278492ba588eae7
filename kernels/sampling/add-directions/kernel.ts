import { read, write } from "../../lib/buffers.js";
import { fail } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AddDirectionsParams, reference } from "./reference.js";

/** y = d + factor[0] times a sum of directions, weighted per image or not. */
export const addDirections = elementwise<AddDirectionsParams>({
  name: "add-directions",
  group: "sampling",
  source,
  counts: ({ batch, elements, vectors, pitch }) => ({ batch, elements, vectors, pitch }),
  check({ batch, elements, pitch }) {
    if (pitch < batch * elements)
      fail("add-directions", `pitch must be at least the batch's ${batch * elements} values`, pitch);
  },
  threads: ({ batch, elements }) => batch * elements,
  buffers: ({ batch, vectors, pitch, weighted }, n) => [
    read("d", n),
    read("direction", (vectors - 1) * pitch + n),
    read("weight", weighted ? batch * vectors : 0),
    read("factor", 1),
    write("y", n),
  ],
  uniforms: ({ elements }) => ({ size: elements }),
  flags: ({ weighted }) => ({ WEIGHTED: weighted }),
  flops: ({ vectors, weighted }, n) => ((weighted ? 2 : 1) * vectors + 2) * n,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1, vectors: 1, pitch: 1, weighted: false } },
    { name: "odd length, weighted", params: { batch: 3, elements: 131, vectors: 1, pitch: 393, weighted: true } },
    { name: "three of a pitch", params: { batch: 2, elements: 77, vectors: 3, pitch: 192, weighted: true } },
    { name: "an image", params: { batch: 2, elements: 3 * 32 * 32, vectors: 1, pitch: 6144, weighted: false } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
