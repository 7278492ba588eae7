import { oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type ConvWeightBackwardParams, reference } from "./reference.js";

/** Weight gradient of a convolution: x [N, C, H, W], g [N, O, H, W] (act) to dw [O, C, kernel, kernel] f32. */
export const convWeightBackward = elementwise<ConvWeightBackwardParams>({
  name: "conv-weight-backward",
  group: "network",
  source,
  counts: ({ batch, inChannels, outChannels, height, width }) => ({ batch, inChannels, outChannels, height, width }),
  check: ({ kernel }) => oneOf("conv-weight-backward", "kernel", kernel, [1, 3]),
  threads: ({ inChannels, outChannels, kernel }) => inChannels * outChannels * kernel ** 2,
  buffers: ({ batch, inChannels, outChannels, height, width, kernel }) => [
    { name: "x", access: "read", type: "act", length: batch * inChannels * height * width },
    { name: "g", access: "read", type: "act", length: batch * outChannels * height * width },
    { name: "dw", access: "write", type: "f32", length: outChannels * inChannels * kernel ** 2 },
  ],
  prelude: ({ kernel }) => `const KERNEL: u32 = ${kernel}u;`,
  flags: ({ kernel }) => ({ POINTWISE: kernel === 1 }),
  flops: ({ batch, inChannels, outChannels, height, width, kernel }) =>
    2 * batch * inChannels * outChannels * height * width * kernel ** 2,
  reference,
  cases: [
    {
      name: "3x3, odd everything",
      params: { batch: 2, inChannels: 5, outChannels: 11, height: 7, width: 9, kernel: 3 },
    },
    {
      name: "1x1, odd everything",
      params: { batch: 3, inChannels: 5, outChannels: 11, height: 7, width: 9, kernel: 1 },
    },
    { name: "3x3 of one pixel", params: { batch: 2, inChannels: 3, outChannels: 2, height: 1, width: 1, kernel: 3 } },
    { name: "3x3 of one column", params: { batch: 1, inChannels: 3, outChannels: 2, height: 6, width: 1, kernel: 3 } },
    { name: "a layer", params: { batch: 1, inChannels: 32, outChannels: 32, height: 16, width: 16, kernel: 3 } },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});
