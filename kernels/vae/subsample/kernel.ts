import { read, write } from "../../lib/buffers.js";
import { inRange } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type SubsampleParams } from "./reference.js";

const outputs = ({ planes, height, width }: SubsampleParams) => planes * Math.floor(height / 2) * Math.floor(width / 2);

/** x [planes, H, W] to every second pixel from the second on, y [planes, floor(H / 2), floor(W / 2)]. */
export const subsample = elementwise<SubsampleParams>({
  name: "subsample",
  group: "vae",
  source,
  counts: ({ planes, height, width }) => ({ planes, height, width }),
  check({ height, width }) {
    inRange("subsample", "height", height, 2, 65536);
    inRange("subsample", "width", width, 2, 65536);
  },
  threads: outputs,
  buffers: (p) => [read("x", p.planes * p.height * p.width, "act"), write("y", outputs(p), "act")],
  uniforms: ({ height, width }) => ({ outHeight: Math.floor(height / 2), outWidth: Math.floor(width / 2) }),
  // Most of x is not read.
  cost: (p, bytesPerAct) => ({ flops: 0, bytes: 2 * bytesPerAct * outputs(p) }),
  reference,
  cases: [
    { name: "one pixel of four", params: { planes: 1, height: 2, width: 2 } },
    { name: "odd sizes", params: { planes: 3, height: 7, width: 5 } },
    { name: "channels of two images", params: { planes: 2 * 8, height: 16, width: 20 } },
  ],
  tolerance: { f32: 0, f16: 0 },
});
