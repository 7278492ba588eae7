import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type DiffuseParams, reference } from "./reference.js";

/** y = x + sigma z with one level per image: x, z, y [N, elements], sigma [N]. All f32. */
export const diffuse = elementwise<DiffuseParams>({
  name: "diffuse",
  group: "network",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers: ({ batch, elements }) => [
    read("x", batch * elements),
    read("sigma", batch),
    read("z", batch * elements),
    write("y", batch * elements),
  ],
  flops: ({ batch, elements }) => 2 * batch * elements,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1 } },
    { name: "odd sizes", params: { batch: 3, elements: 131 } },
    { name: "images", params: { batch: 16, elements: 3 * 1024 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
