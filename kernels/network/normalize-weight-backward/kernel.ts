import type { Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { ROW_CASES, type WeightRows, weightRows } from "../../lib/weight-rows.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** Gradient of an MPConv's effective weight: w, g [rows, fanIn] to dw [rows, fanIn] and, with a gain, dgain [rows]. All f32. */
export const normalizeWeightBackward: Kernel<WeightRows> = {
  ...weightRows("normalize-weight-backward", source, "vec2f"),
  buffers: ({ rows, fanIn, gained }) => [
    read("w", rows * fanIn),
    read("gain", gained ? 1 : 0),
    read("g", rows * fanIn),
    write("dw", rows * fanIn),
    write("dgain", gained ? rows : 0),
  ],
  cost: ({ rows, fanIn }) => ({ flops: 7 * rows * fanIn, bytes: 12 * rows * fanIn }),
  reference,
  cases: [
    { name: "one row of two", params: { rows: 1, fanIn: 2, gained: true, factor: 1 }, inputs: withMean },
    { name: "odd sizes", params: { rows: 7, fanIn: 37, gained: true, factor: 0.7 }, inputs: withMean },
    { name: "a gain of 0", params: { rows: 7, fanIn: 64, gained: true, factor: 1 }, inputs: silent },
    ...ROW_CASES,
  ],
  tolerance: { f32: 3e-6, f16: 3e-6 },
};

/** Products that do not cancel: otherwise dgain says little. */
function withMean(buffer: string, length: number, random: () => number): Float32Array | undefined {
  return buffer === "gain" ? Float32Array.of(0.6) : Float32Array.from({ length }, () => 1.5 + random());
}

/** Before training: dw is exactly 0, dgain is not. */
function silent(buffer: string, length: number, random: () => number): Float32Array | undefined {
  return buffer === "gain" ? new Float32Array(1) : withMean(buffer, length, random);
}
