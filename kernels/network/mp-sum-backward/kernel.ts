import { fail, inRange, nonNegativeInteger, oneOf, positiveInteger, positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type MpSumBackwardParams, reference } from "./reference.js";

/** da and db of mp_sum(a, b, t), clipped or not. */
export const mpSumBackward = elementwise<MpSumBackwardParams>({
  name: "mp-sum-backward",
  group: "network",
  source,
  counts: ({ elements, perImage = elements }) => ({ elements, perImage }),
  check({ type, t, weightIndex, weights, clip }) {
    const name = "mp-sum-backward";
    oneOf(name, "type", type, ["f32", "act"]);
    if (clip !== null) positiveNumber(name, "clip", clip);
    if (t !== null) inRange(name, "t", t, 0, 1);
    else {
      positiveInteger(name, "weights", weights);
      nonNegativeInteger(name, "weightIndex", weightIndex);
      if (weightIndex >= weights)
        fail(name, `weightIndex must be less than the number of weights, ${weights}`, weightIndex);
    }
  },
  threads: ({ elements }) => elements,
  lanes: ({ elements, perImage = elements, type }) => ({ rows: [perImage], storage: type === "act" ? "S" : "f32" }),
  buffers: ({ elements, type, t, weights, clip }) => [
    { name: "a", access: "read", type, length: clip === null ? 0 : elements },
    { name: "b", access: "read", type, length: clip === null ? 0 : elements },
    { name: "w", access: "read", type: "f32", length: t === null ? weights : 0 },
    { name: "g", access: "read", type, length: elements },
    { name: "da", access: "write", type, length: elements },
    { name: "db", access: "write", type, length: elements },
  ],
  uniforms({ t, weightIndex, clip }) {
    const norm = t === null ? 1 : Math.sqrt((1 - t) ** 2 + t ** 2);
    return {
      weight_index: t === null ? weightIndex : 0,
      weight_a: t === null ? 0 : (1 - t) / norm,
      weight_b: t === null ? 0 : t / norm,
      bound: clip ?? 0,
    };
  },
  flags: ({ t, clip }) => ({ LEARNED: t === null, CLIP: clip !== null }),
  flops: ({ elements, clip }) => (clip === null ? 2 : 6) * elements,
  reference,
  cases: [
    { name: "one value", params: { elements: 1, type: "f32", t: 0.5, weightIndex: 0, weights: 0, clip: null } },
    { name: "odd length", params: { elements: 333, type: "act", t: 0.3, weightIndex: 0, weights: 0, clip: null } },
    {
      name: "odd length, clipped",
      params: { elements: 1023, type: "f32", t: 0.8, weightIndex: 0, weights: 0, clip: 0.6 },
    },
    {
      name: "vectors, clipped",
      params: { elements: 8196, type: "f32", t: 0.3, weightIndex: 0, weights: 0, clip: 0.75 },
    },
    { name: "all a", params: { elements: 64, type: "f32", t: 0, weightIndex: 0, weights: 0, clip: null } },
    ...[-0.25, 0, 0.37, 1, 1.6].map((weight, i) => ({
      name: `learned weight ${weight}`,
      params: { elements: 130 + 2 * i, type: "act" as const, t: null, weightIndex: 1, weights: 3, clip: null },
      inputs: (buffer: string) => (buffer === "w" ? Float32Array.of(9, weight, 9) : undefined),
    })),
    {
      // Exactly on the bounds, and one float beyond.
      name: "the ends of the range pass",
      params: { elements: 8, type: "f32", t: 0, weightIndex: 0, weights: 0, clip: 2 },
      inputs: (buffer) =>
        buffer === "a" ? Float32Array.of(2, -2, 2.0000002, -2.0000002, 1.9999999, 0, 300, -300) : undefined,
    },
    {
      name: "a whole feature map",
      params: { elements: 4 * 64 * 32 * 32, type: "act", t: 0.3, weightIndex: 0, weights: 0, clip: 256 },
    },
  ],
  tolerance: { f32: 1e-6, f16: 1e-3 },
});
