import { elementwise } from "../../lib/elementwise.js";
import { lanesOf } from "../../lib/lanes.js";
import silu from "../../lib/mp-silu.wgsl.js";
import source from "./kernel.wgsl.js";
import { reference, type ScaleSiluParams } from "./reference.js";

/** y = mp_silu(x c): x, y [N, C, P] act, c [N, C] f32. */
export const scaleSilu = elementwise<ScaleSiluParams>({
  name: "scale-silu",
  group: "network",
  source,
  parts: [{ file: "kernels/lib/mp-silu.wgsl", text: silu }],
  counts: ({ batch, channels, pixels }) => ({ batch, channels, pixels }),
  threads: ({ batch, channels, pixels }) => batch * channels * pixels,
  lanes: ({ pixels }) => ({ rows: [pixels], storage: "S" }),
  buffers({ batch, channels, pixels }) {
    const length = batch * channels * pixels;
    return [
      { name: "x", access: "read", type: "act", length },
      { name: "c", access: "read", type: "f32", length: batch * channels },
      { name: "y", access: "write", type: "act", length },
    ];
  },
  uniforms: ({ pixels }) => ({ pixels: pixels / lanesOf(pixels) }),
  flops: ({ batch, channels, pixels }) => 6 * batch * channels * pixels,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, channels: 1, pixels: 1 } },
    { name: "odd sizes", params: { batch: 3, channels: 5, pixels: 35 } },
    { name: "vectors", params: { batch: 2, channels: 7, pixels: 36 } },
    { name: "a whole feature map", params: { batch: 4, channels: 64, pixels: 1024 } },
  ],
  tolerance: { f32: 2e-6, f16: 1e-3 },
});
