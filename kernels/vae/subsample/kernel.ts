import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, inRange, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { reference, type SubsampleParams } from "./reference.js";

const outputs = ({ planes, height, width }: SubsampleParams) => planes * Math.floor(height / 2) * Math.floor(width / 2);

/** x [planes, H, W] to every second pixel from the second on, y [planes, floor(H / 2), floor(W / 2)]. */
export const subsample: Kernel<SubsampleParams> = {
  name: "subsample",
  source: [{ file: "kernels/vae/subsample/kernel.wgsl", text: source }],
  check(p) {
    for (const name of ["planes", "height", "width"] as const) positiveInteger("subsample", name, p[name]);
    inRange("subsample", "height", p.height, 2, 65536);
    inRange("subsample", "width", p.width, 2, 65536);
    addressable("subsample", "x", p.planes, p.height, p.width);
  },
  buffers: (p) => [read("x", p.planes * p.height * p.width, "act"), write("y", outputs(p), "act")],
  variant: () => ({ key: "", prelude: "" }),
  uniforms: (p) => ({
    elements: outputs(p),
    outHeight: Math.floor(p.height / 2),
    outWidth: Math.floor(p.width / 2),
    height: p.height,
    width: p.width,
  }),
  grid: (p, _variant, caps) => grid1d(outputs(p), 64, caps),
  cost: (p, bytesPerAct) => ({ flops: 0, bytes: 2 * bytesPerAct * outputs(p) }),
  reference,
  cases: [
    { name: "one pixel of four", params: { planes: 1, height: 2, width: 2 } },
    { name: "odd sizes", params: { planes: 3, height: 7, width: 5 } },
    { name: "channels of two images", params: { planes: 2 * 8, height: 16, width: 20 } },
  ],
  tolerance: { f32: 0, f16: 0 },
};
