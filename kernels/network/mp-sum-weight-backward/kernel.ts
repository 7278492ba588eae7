import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, fail, nonNegativeInteger, oneOf, positiveInteger } from "../../lib/check.js";
import { summing } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type MpSumWeightBackwardParams, pieces, reference } from "./reference.js";

const name = "mp-sum-weight-backward";

/** Sums over pieces of the gradient of mp_sum's learned weight; `total` adds them up. */
export const mpSumWeightBackward: Kernel<MpSumWeightBackwardParams> = {
  name,
  source: [...summing(64), { file: "kernels/network/mp-sum-weight-backward/kernel.wgsl", text: source }],
  check({ elements, type, weightIndex, weights }) {
    positiveInteger(name, "elements", elements);
    addressable(name, "a", elements);
    oneOf(name, "type", type, ["f32", "act"]);
    positiveInteger(name, "weights", weights);
    nonNegativeInteger(name, "weightIndex", weightIndex);
    if (weightIndex >= weights)
      fail(name, `weightIndex must be less than the number of weights, ${weights}`, weightIndex);
  },
  buffers: ({ elements, type, weights }) => [
    { name: "a", access: "read", type, length: elements },
    { name: "b", access: "read", type, length: elements },
    { name: "w", access: "read", type: "f32", length: weights },
    { name: "g", access: "read", type, length: elements },
    { name: "part", access: "write", type: "f32", length: pieces(elements) },
  ],
  variant: ({ type }) => ({ key: type, prelude: `alias T = ${type === "act" ? "S" : "f32"};` }),
  uniforms: ({ elements, weightIndex }) => ({ workgroups: pieces(elements), elements, weight_index: weightIndex }),
  grid: ({ elements }, _variant, caps) => grid1d(pieces(elements), 1, caps),
  cost: ({ elements, type }, bytesPerAct) => ({
    flops: 5 * elements,
    bytes: 3 * elements * (type === "act" ? bytesPerAct : 4) + 4 * pieces(elements),
  }),
  reference,
  cases: [
    mix("one value", 1, 0.3),
    mix("odd length", 333, 0.37),
    mix("several pieces, weight 0", 9001, 0),
    mix("several pieces, weight 1", 4097, 1),
    mix("below the range", 500, -0.2),
    mix("above the range", 500, 1.3),
    mix("a whole feature map", 4 * 64 * 32 * 32, 0.2),
  ],
  tolerance: { f32: 2e-6, f16: 2e-3 },
};

/** The terms have a mean: a sum that cancels says nothing of its order. */
function mix(caseName: string, elements: number, weight: number) {
  return {
    name: caseName,
    params: { elements, type: "act" as const, weightIndex: 1, weights: 3 },
    inputs: (buffer: string, length: number, random: () => number) =>
      buffer === "w"
        ? Float32Array.of(0.5, weight, 0.5)
        : buffer === "g"
          ? Float32Array.from({ length }, () => 1 + 0.3 * random())
          : Float32Array.from({ length }, () => random() + (buffer === "a" ? 1 : -1)),
  };
}
