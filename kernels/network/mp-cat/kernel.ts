import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, fail, inRange, positiveInteger } from "../../lib/check.js";
import { turns } from "../../lib/chunk.js";
import chunk from "../../lib/chunk.wgsl.js";
import { type Lanes, lanesOf, storedLanes } from "../../lib/lanes.js";
import silu from "../../lib/mp-silu.wgsl.js";
import source from "./kernel.wgsl.js";
import { type MpCatParams, reference } from "./reference.js";

const WORKGROUP = 64;

/** What the cases write. */
const BOTH = { raw: true, silu: true };
const RAW = { raw: true, silu: false };
const SILU = { raw: false, silu: true };

/** Magnitude-preserving concatenation: a [N, A, P], b [N, B, P] (act) to y and s [N, A + B, P] (act). */
export const mpCat: Kernel<MpCatParams> = {
  name: "mp-cat",
  source: [
    { file: "kernels/lib/chunk.wgsl", text: chunk },
    { file: "kernels/lib/mp-silu.wgsl", text: silu },
    { file: "kernels/network/mp-cat/kernel.wgsl", text: source },
  ],
  check(params) {
    for (const name of ["batch", "channelsA", "channelsB", "pixels"] as const) {
      positiveInteger("mp-cat", name, params[name]);
    }
    inRange("mp-cat", "t", params.t, 0, 1);
    addressable("mp-cat", "y", params.batch, params.channelsA + params.channelsB, params.pixels);
    if (!params.raw && !params.silu) fail("mp-cat", "at least one of raw and silu must be true");
  },
  buffers({ batch, channelsA, channelsB, pixels, raw, silu }) {
    const length = batch * (channelsA + channelsB) * pixels;
    return [
      read("a", batch * channelsA * pixels, "act"),
      read("b", batch * channelsB * pixels, "act"),
      write("y", raw ? length : 0, "act"),
      write("s", silu ? length : 0, "act"),
    ];
  },
  variant(params, caps) {
    const { raw, silu } = params;
    const lanes = storedLanes(lanesOfCat(params), "S", caps);
    return {
      key: `${lanes.key}${raw ? "-raw" : ""}${silu ? "-silu" : ""}`,
      prelude: `${lanes.prelude}const RAW: bool = ${raw};\nconst SILU: bool = ${silu};\n`,
    };
  },
  uniforms(params) {
    const { batch, channelsA, channelsB, pixels, t } = params;
    const lanes = lanesOfCat(params);
    const scale = Math.sqrt((channelsA + channelsB) / ((1 - t) ** 2 + t ** 2));
    return {
      batch,
      size_a: (channelsA * pixels) / lanes,
      size_b: (channelsB * pixels) / lanes,
      scale_a: (scale * (1 - t)) / Math.sqrt(channelsA),
      scale_b: (scale * t) / Math.sqrt(channelsB),
    };
  },
  grid(params, _variant, caps) {
    const { batch, channelsA, channelsB, pixels } = params;
    const size = ((channelsA + channelsB) * pixels) / lanesOfCat(params);
    return grid1d(batch * Math.ceil(size / WORKGROUP / turns(caps)), 1, caps);
  },
  cost({ batch, channelsA, channelsB, pixels, raw, silu }, bytesPerAct) {
    const elements = batch * (channelsA + channelsB) * pixels;
    return {
      flops: elements * (silu ? 6 : 1),
      bytes: elements * (1 + Number(raw) + Number(silu)) * bytesPerAct,
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
  ],
  tolerance: { f32: 1e-6, f16: 2e-3 },
};

/** The images of a and b are contiguous: vectors may straddle planes, not images. */
function lanesOfCat({ channelsA, channelsB, pixels }: MpCatParams): Lanes {
  return lanesOf(channelsA * pixels, channelsB * pixels);
}
