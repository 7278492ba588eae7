import { finiteNumber, oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AxpbyParams, reference } from "./reference.js";

/** y = alpha a + beta b. */
export const axpby = elementwise<AxpbyParams>({
  name: "axpby",
  group: "network",
  source,
  counts: ({ elements, perImage = elements }) => ({ elements, perImage }),
  check({ type, alpha, beta }) {
    oneOf("axpby", "type", type, ["f32", "act"]);
    finiteNumber("axpby", "alpha", alpha);
    if (beta !== null) finiteNumber("axpby", "beta", beta);
  },
  threads: ({ elements }) => elements,
  lanes: ({ elements, perImage = elements, type }) => ({ rows: [perImage], storage: type === "act" ? "S" : "f32" }),
  buffers: ({ elements, type, beta }) => [
    { name: "a", access: "read", type, length: elements },
    { name: "b", access: "read", type, length: beta === null ? 0 : elements },
    { name: "y", access: "write", type, length: elements },
  ],
  uniforms: ({ alpha, beta }) => ({ alpha, beta: beta ?? 0 }),
  flags: ({ beta }) => ({ BOTH: beta !== null }),
  flops: ({ elements, beta }) => (beta === null ? 1 : 3) * elements,
  reference,
  cases: [
    { name: "one value", params: { elements: 1, type: "f32", alpha: 1, beta: 1 } },
    { name: "odd length, act", params: { elements: 387, type: "act", alpha: 0.25, beta: null } },
    { name: "odd images", params: { elements: 4 * 51, perImage: 51, type: "f32", alpha: -0.6, beta: 0.8 } },
    { name: "vectors", params: { elements: 3 * 4100, perImage: 4100, type: "act", alpha: 1, beta: 1 } },
    { name: "vectors, scaled", params: { elements: 65_536, type: "f32", alpha: 4, beta: null } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-3 },
});
