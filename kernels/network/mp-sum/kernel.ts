import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import {
  fail,
  inRange,
  multipleOf,
  nonNegativeInteger,
  oneOf,
  positiveInteger,
  positiveNumber,
} from "../../lib/check.js";
import clipSource from "../../lib/clip.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf, lanesPrelude } from "../../lib/lanes.js";
import learnedShares from "../../lib/learned-shares.wgsl.js";
import source from "./kernel.wgsl.js";
import { type MpSumParams, reference } from "./reference.js";

/** out = ((1-t) a + t b) / sqrt((1-t)^2 + t^2), clipped to [-clip, clip]; NaN and infinities are kept. */
export const mpSum = elementwise<MpSumParams>({
  name: "mp-sum",
  group: "network",
  source,
  parts: [
    { file: "kernels/lib/clip.wgsl", text: clipSource },
    { file: "kernels/lib/learned-shares.wgsl", text: learnedShares },
  ],
  counts: ({ elements }) => ({ elements }),
  check({ elements, perImage, type, t, weightIndex, weights, clip }) {
    if (perImage !== undefined) {
      positiveInteger("mp-sum", "perImage", perImage);
      multipleOf("mp-sum", "elements", elements, perImage);
    }
    oneOf("mp-sum", "type", type, ["f32", "act"]);
    if (t === null) {
      positiveInteger("mp-sum", "weights", weights);
      nonNegativeInteger("mp-sum", "weightIndex", weightIndex);
      if (weightIndex >= weights) {
        fail("mp-sum", `weightIndex must be less than the number of weights, ${weights}`, weightIndex);
      }
    } else {
      inRange("mp-sum", "t", t, 0, 1);
    }
    if (clip !== null) positiveNumber("mp-sum", "clip", clip);
  },
  threads: ({ elements, perImage }) => elements / lanesOf(perImage ?? elements),
  buffers({ elements, type, t, weights }) {
    return [
      read("a", elements, type),
      read("b", elements, type),
      read("w", t === null ? weights : 0),
      write("out", elements, type),
    ];
  },
  variant({ elements, perImage, type, t, clip }) {
    const lanes = lanesOf(perImage ?? elements);
    const learned = t === null;
    const flags = `const LEARNED: bool = ${learned};\nconst CLIP: bool = ${clip !== null};\n`;
    return {
      key: `${type}-lanes${lanes}${learned ? "-learned" : ""}${clip === null ? "" : "-clip"}`,
      prelude: lanesPrelude(lanes, type === "act" ? "S" : "f32") + flags,
    };
  },
  uniforms({ t, weightIndex, clip }) {
    const norm = t === null ? 1 : Math.sqrt((1 - t) ** 2 + t ** 2);
    return {
      weight_index: t === null ? weightIndex : 0,
      weight_a: t === null ? 0 : (1 - t) / norm,
      weight_b: t === null ? 0 : t / norm,
      clip: clip ?? 0,
    };
  },
  flops: ({ elements }) => 3 * elements,
  reference,
  cases: [
    constantT("one element", 1, "f32", 0.5, null),
    constantT("scalar", 333, "act", 0.3, null),
    constantT("scalar, clipped", 1023, "f32", 0.8, 0.6),
    constantT("vector, clipped", 8196, "act", 0.3, 0.75),
    constantT("all a", 64, "f32", 0, null),
    constantT("all b", 63, "act", 1, 256),
    learnedT("weight below the range", 130, "act", 0, null),
    learnedT("weight inside", 2052, "act", 1, null),
    learnedT("weight inside, scalar f32, clipped", 77, "f32", 1, 1),
    learnedT("weight above the range, clipped", 516, "f32", 2, 0.5),
    nonFinite("NaN and infinities pass the clip", 300, "f32", 0.3),
    nonFinite("NaN and infinities pass the clip, scalar", 301, "act", 0.3),
    nonFinite("NaN and infinities pass the clip, learned weight", 64, "act", null),
    {
      name: "a NaN weight spoils everything",
      params: { elements: 50, type: "f32", t: null, weightIndex: 1, weights: 2, clip: 1 },
      inputs: (name) => (name === "w" ? Float32Array.of(0.5, Number.NaN) : undefined),
    },
    {
      // Without a clip, values up to the end of the range pass unchanged.
      name: "huge values, no clip",
      params: { elements: 36, type: "f32", t: 0.5, weightIndex: 0, weights: 0, clip: null },
      inputs: (name, length) =>
        name === "a" || name === "b"
          ? Float32Array.from(
              { length },
              (_, i) => (i % 2 ? -1 : 1) * (name === "a" ? 1.5e38 : 0.5e38) * ((i + 1) / length),
            )
          : undefined,
    },
  ],
  tolerance: { f32: 1e-6, f16: 1e-3 },
});

function constantT(name: string, elements: number, type: "f32" | "act", t: number, clip: number | null) {
  return { name, params: { elements, type, t, weightIndex: 0, weights: 0, clip } };
}

function learnedT(
  name: string,
  elements: number,
  type: "f32" | "act",
  weightIndex: number,
  clip: number | null,
): Case<MpSumParams> {
  return {
    name,
    params: { elements, type, t: null, weightIndex, weights: 3, clip },
    inputs: (buffer) => (buffer === "w" ? Float32Array.of(-0.25, 0.37, 1.6) : undefined),
  };
}

/** Every third element of a or b is not finite; the finite ones are clipped. */
function nonFinite(name: string, elements: number, type: "f32" | "act", t: number | null): Case<MpSumParams> {
  const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  return {
    name,
    params: { elements, type, t, weightIndex: 0, weights: 1, clip: 0.5 },
    inputs: (buffer, length, random) => {
      if (buffer === "w") return Float32Array.of(0.6);
      const shift = buffer === "a" ? 0 : 4;
      return Float32Array.from({ length }, (_, i) => (i % 9 === shift ? bad[Math.floor(i / 9) % 3]! : random()));
    },
  };
}
