import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, multipleOf, oneOf, positiveInteger } from "../../lib/check.js";
import { turns } from "../../lib/chunk.js";
import chunk from "../../lib/chunk.wgsl.js";
import { lanesOf, storedLanes } from "../../lib/lanes.js";
import silu from "../../lib/mp-silu-loaded.wgsl.js";
import source from "./kernel.wgsl.js";
import { type MpSiluParams, reference } from "./reference.js";

const WORKGROUP = 64;

/** y = x sigmoid(x) / 0.596 for every element. */
export const mpSilu: Kernel<MpSiluParams> = {
  name: "mp-silu",
  source: [
    { file: "kernels/lib/chunk.wgsl", text: chunk },
    { file: "kernels/lib/mp-silu-loaded.wgsl", text: silu },
    { file: "kernels/network/mp-silu/kernel.wgsl", text: source },
  ],
  check({ elements, perImage, type }) {
    positiveInteger("mp-silu", "elements", elements);
    if (perImage !== undefined) {
      positiveInteger("mp-silu", "perImage", perImage);
      multipleOf("mp-silu", "elements", elements, perImage);
    }
    addressable("mp-silu", "x", elements);
    oneOf("mp-silu", "type", type, ["f32", "act"]);
  },
  buffers({ elements, type }) {
    return [read("x", elements, type), write("y", elements, type)];
  },
  variant({ elements, perImage, type }, caps) {
    const lanes = storedLanes(lanesOf(perImage ?? elements), type === "act" ? "S" : "f32", caps);
    return { key: `${type}-${lanes.key}`, prelude: lanes.prelude };
  },
  uniforms({ elements, perImage }) {
    return { count: elements / lanesOf(perImage ?? elements) };
  },
  grid({ elements, perImage }, _variant, caps) {
    return grid1d(elements / lanesOf(perImage ?? elements) / turns(caps), WORKGROUP, caps);
  },
  cost({ elements, type }, bytesPerAct) {
    return { flops: 5 * elements, bytes: 2 * elements * (type === "act" ? bytesPerAct : 4) };
  },
  reference,
  cases: [
    { name: "one element", params: { elements: 1, type: "f32" } },
    { name: "scalar f32", params: { elements: 389, type: "f32" } },
    { name: "scalar act", params: { elements: 1001, type: "act" } },
    { name: "scalar by the image, not by the batch", params: { elements: 4 * 51, perImage: 51, type: "act" } },
    { name: "vector f32", params: { elements: 3 * 768, type: "f32" } },
    { name: "vector act", params: { elements: 20_004, type: "act" } },
    ...(["f32", "act"] as const).map((type) => ({
      name: `large magnitudes ${type}`,
      params: { elements: 1200, type },
      // +-30,000 and its result fit f16; exp(30,000) fits nothing.
      inputs: (name: string, length: number) =>
        name === "x"
          ? Float32Array.from({ length }, (_, i) => (i % 2 ? 1 : -1) * (i < 600 ? i / 4 : 30_000 * (i / length)))
          : undefined,
    })),
    ...([403, 404] as const).map((elements) => ({
      name: `NaN stays, ${elements} elements`,
      params: { elements, type: "act" as const },
      inputs: (name: string, length: number, random: () => number) =>
        name === "x" ? Float32Array.from({ length }, (_, i) => (i % 5 === 2 ? Number.NaN : random())) : undefined,
    })),
    {
      // Where every true value is small, a wrong tail is not hidden by larger neighbours.
      name: "negative tail",
      params: { elements: 203, type: "f32" },
      inputs: (name, length) => (name === "x" ? Float32Array.from({ length }, (_, i) => -20 - i / 4) : undefined),
    },
  ],
  tolerance: { f32: 4e-6, f16: 1e-3 },
};
