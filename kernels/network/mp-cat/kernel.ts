import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, fail, inRange, nonNegativeInteger, positiveInteger } from "../../lib/check.js";
import { turns } from "../../lib/chunk.js";
import chunk from "../../lib/chunk.wgsl.js";
import { type Lanes, lanesOf, storedLanes } from "../../lib/lanes.js";
import learnedShares from "../../lib/learned-shares.wgsl.js";
import silu from "../../lib/mp-silu.wgsl.js";
import source from "./kernel.wgsl.js";
import { type MpCatParams, reference } from "./reference.js";

const WORKGROUP = 64;

/** What the cases write. */
const BOTH = { raw: true, silu: true };
const RAW = { raw: true, silu: false };
const SILU = { raw: false, silu: true };

/**
 * Magnitude-preserving concatenation: a [N, A, P], b [N, B, P] (act) to y and s [N, A + B, P] (act). `other` is like b, to be mixed
 * with it by one of the weights w (f32).
 */
export const mpCat: Kernel<MpCatParams> = {
  name: "mp-cat",
  source: [
    { file: "kernels/lib/chunk.wgsl", text: chunk },
    { file: "kernels/lib/mp-silu.wgsl", text: silu },
    { file: "kernels/lib/learned-shares.wgsl", text: learnedShares },
    { file: "kernels/network/mp-cat/kernel.wgsl", text: source },
  ],
  check(params) {
    for (const name of ["batch", "channelsA", "channelsB", "pixels"] as const) {
      positiveInteger("mp-cat", name, params[name]);
    }
    inRange("mp-cat", "t", params.t, 0, 1);
    addressable("mp-cat", "y", params.batch, params.channelsA + params.channelsB, params.pixels);
    if (!params.raw && !params.silu) fail("mp-cat", "at least one of raw and silu must be true");
    if (!params.mix) return;
    const { weightIndex, weights } = params.mix;
    positiveInteger("mp-cat", "weights", weights);
    nonNegativeInteger("mp-cat", "weightIndex", weightIndex);
    if (weightIndex >= weights)
      fail("mp-cat", `weightIndex must be less than the number of weights, ${weights}`, weightIndex);
  },
  buffers({ batch, channelsA, channelsB, pixels, raw, silu, mix }) {
    const length = batch * (channelsA + channelsB) * pixels;
    const lengthB = batch * channelsB * pixels;
    return [
      read("a", batch * channelsA * pixels, "act"),
      read("b", lengthB, "act"),
      read("other", mix ? lengthB : 0, "act"),
      read("w", mix?.weights ?? 0),
      write("y", raw ? length : 0, "act"),
      write("s", silu ? length : 0, "act"),
    ];
  },
  variant(params, caps) {
    const { raw, silu, mix } = params;
    const lanes = storedLanes(lanesOfCat(params), "S", caps);
    return {
      key: `${lanes.key}${raw ? "-raw" : ""}${silu ? "-silu" : ""}${mix ? "-mix" : ""}`,
      prelude: `${lanes.prelude}const RAW: bool = ${raw};\nconst SILU: bool = ${silu};\nconst MIX: bool = ${mix !== undefined};\n`,
    };
  },
  uniforms(params) {
    const { batch, channelsA, channelsB, pixels, t, mix } = params;
    const lanes = lanesOfCat(params);
    const scale = Math.sqrt((channelsA + channelsB) / ((1 - t) ** 2 + t ** 2));
    return {
      batch,
      size_a: (channelsA * pixels) / lanes,
      size_b: (channelsB * pixels) / lanes,
      scale_a: (scale * (1 - t)) / Math.sqrt(channelsA),
      scale_b: (scale * t) / Math.sqrt(channelsB),
      weight_index: mix?.weightIndex ?? 0,
    };
  },
  grid(params, _variant, caps) {
    const { batch, channelsA, channelsB, pixels } = params;
    const size = ((channelsA + channelsB) * pixels) / lanesOfCat(params);
    return grid1d(batch * Math.ceil(size / WORKGROUP / turns(caps)), 1, caps);
  },
  cost({ batch, channelsA, channelsB, pixels, raw, silu, mix }, bytesPerAct) {
    const elements = batch * (channelsA + channelsB) * pixels;
    const mixed = mix ? batch * channelsB * pixels : 0;
    return {
      flops: elements * (silu ? 6 : 1) + 3 * mixed,
      bytes: (elements * (1 + Number(raw) + Number(silu)) + mixed) * bytesPerAct + (mix ? 4 : 0),
    };
  },
  reference,
  cases: [
    { name: "one pixel", params: { ...BOTH, batch: 1, channelsA: 1, channelsB: 1, pixels: 1, t: 0.5 } },
    { name: "scalar, raw", params: { ...RAW, batch: 2, channelsA: 5, channelsB: 11, pixels: 15, t: 0.5 } },
    { name: "scalar, silu", params: { ...SILU, batch: 3, channelsA: 33, channelsB: 2, pixels: 21, t: 0.3 } },
    // Images of a are whole vectors here, those of b are not.
    { name: "scalar because of b", params: { ...BOTH, batch: 2, channelsA: 4, channelsB: 3, pixels: 9, t: 0.5 } },
    { name: "vector, raw", params: { ...RAW, batch: 2, channelsA: 7, channelsB: 3, pixels: 36, t: 0.7 } },
    { name: "vector, silu", params: { ...SILU, batch: 3, channelsA: 6, channelsB: 9, pixels: 20, t: 0.5 } },
    {
      name: "vector, raw and silu, 16x16",
      params: { ...BOTH, batch: 2, channelsA: 48, channelsB: 32, pixels: 256, t: 0.5 },
    },
    mixed("mixed, scalar", { ...BOTH, batch: 2, channelsA: 3, channelsB: 5, pixels: 9, t: 0.5 }, 1),
    mixed("mixed, vector", { ...BOTH, batch: 2, channelsA: 5, channelsB: 6, pixels: 36, t: 0.3 }, 1),
    mixed("mixed, a weight above the range", { ...RAW, batch: 1, channelsA: 6, channelsB: 2, pixels: 20, t: 0.5 }, 2),
  ],
  tolerance: { f32: 1e-6, f16: 2e-3 },
};

/** The images of a and b are contiguous: vectors may straddle planes, not images. */
function lanesOfCat({ channelsA, channelsB, pixels }: MpCatParams): Lanes {
  return lanesOf(channelsA * pixels, channelsB * pixels);
}

function mixed(name: string, params: MpCatParams, weightIndex: number): Case<MpCatParams> {
  const inputs = (buffer: string) => (buffer === "w" ? Float32Array.of(-0.25, 0.37, 1.6) : undefined);
  return { name, params: { ...params, mix: { weightIndex, weights: 3 } }, inputs };
}
