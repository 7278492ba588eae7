import { oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import slope from "../../lib/mp-silu-slope.wgsl.js";
import source from "./kernel.wgsl.js";
import { type MpSiluBackwardParams, reference } from "./reference.js";

/** dx = g mp_silu'(x) for every element. */
export const mpSiluBackward = elementwise<MpSiluBackwardParams>({
  name: "mp-silu-backward",
  group: "network",
  source,
  parts: [{ file: "kernels/lib/mp-silu-slope.wgsl", text: slope }],
  counts: ({ elements, perImage = elements }) => ({ elements, perImage }),
  check: ({ type }) => oneOf("mp-silu-backward", "type", type, ["f32", "act"]),
  threads: ({ elements }) => elements,
  lanes: ({ elements, perImage = elements, type }) => ({ rows: [perImage], storage: type === "act" ? "S" : "f32" }),
  buffers: ({ elements, type }) => [
    { name: "x", access: "read", type, length: elements },
    { name: "g", access: "read", type, length: elements },
    { name: "dx", access: "write", type, length: elements },
  ],
  uniforms: () => ({}),
  flops: ({ elements }) => 11 * elements,
  reference,
  cases: [
    { name: "one value", params: { elements: 1, type: "f32" } },
    { name: "odd length, act", params: { elements: 1001, type: "act" } },
    { name: "odd images", params: { elements: 4 * 51, perImage: 51, type: "f32" } },
    { name: "vectors", params: { elements: 20_004, type: "act" } },
    {
      // Where the slope is all but 0 or 1 / 0.596: nothing may overflow.
      name: "large magnitudes",
      params: { elements: 804, type: "f32" },
      inputs: (name, length) =>
        name === "x" ? Float32Array.from({ length }, (_, i) => (i % 2 ? 1 : -1) * i * (i < 400 ? 0.5 : 40)) : undefined,
    },
    { name: "a whole feature map", params: { elements: 4 * 64 * 32 * 32, type: "act" } },
  ],
  tolerance: { f32: 2e-6, f16: 1e-3 },
});
