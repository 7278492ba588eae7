import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import { lanesOf, storedLanes } from "../../lib/lanes.js";
import slope from "../../lib/mp-silu-slope.wgsl.js";
import source from "./kernel.wgsl.js";
import { reference, type ScaleSiluBackwardParams } from "./reference.js";

const name = "scale-silu-backward";

/** Gradient of mp_silu(x c): x, g [N, C, P] act and c [N, C] f32 to dx [N, C, P] act and dc [N, C] f32. */
export const scaleSiluBackward: Kernel<ScaleSiluBackwardParams> = {
  name,
  source: [
    ...summing(),
    { file: "kernels/lib/mp-silu-slope.wgsl", text: slope },
    { file: "kernels/network/scale-silu-backward/kernel.wgsl", text: source },
  ],
  check(params) {
    for (const key of ["batch", "channels", "pixels"] as const) positiveInteger(name, key, params[key]);
    addressable(name, "x", params.batch, params.channels, params.pixels);
  },
  buffers({ batch, channels, pixels }) {
    const length = batch * channels * pixels;
    return [
      { name: "x", access: "read", type: "act", length },
      { name: "c", access: "read", type: "f32", length: batch * channels },
      { name: "g", access: "read", type: "act", length },
      { name: "dx", access: "write", type: "act", length },
      { name: "dc", access: "write", type: "f32", length: batch * channels },
    ];
  },
  variant({ pixels }, caps) {
    const count = lanesOf(pixels);
    const lanes = storedLanes(count, "S", caps);
    const { size, prelude } = summingSize(caps);
    const across = count === 4 ? "(v.x + v.y) + (v.z + v.w)" : "v";
    return {
      key: `${lanes.key}-${size}`,
      prelude: `${lanes.prelude}${prelude}fn across(v: F) -> f32 {\n  return ${across};\n}\n`,
    };
  },
  uniforms: ({ batch, channels, pixels }) => ({ workgroups: batch * channels, pixels: pixels / lanesOf(pixels) }),
  grid: ({ batch, channels }, _variant, caps) => grid1d(batch * channels, 1, caps),
  cost: ({ batch, channels, pixels }, bytesPerAct) => ({
    flops: 15 * batch * channels * pixels,
    bytes: batch * channels * (3 * pixels * bytesPerAct + 8),
  }),
  reference,
  cases: [
    { name: "one value", params: { batch: 1, channels: 1, pixels: 1 } },
    { name: "odd sizes", params: { batch: 3, channels: 5, pixels: 35 } },
    { name: "vectors, fewer than invocations", params: { batch: 2, channels: 7, pixels: 36 } },
    { name: "more pixels than invocations", params: { batch: 1, channels: 3, pixels: 17 * 19 } },
    { name: "a whole feature map", params: { batch: 4, channels: 64, pixels: 1024 } },
  ],
  tolerance: { f32: 3e-6, f16: 3e-3 },
};
