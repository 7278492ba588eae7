import type { Inputs } from "../../../src/gpu/contract.js";
import type { ChannelRange } from "../../lib/channel-range.js";
import { outputSize, type Window } from "../../lib/window.js";

/**
 * Pooling over windows; f32 whatever the precision of the plan. The padding is at most half of the kernel: every window
 * holds a pixel of the image.
 */
export interface Pool2dParams extends Window {
  readonly mode: "max" | "mean";
  /** Images times channels. */
  readonly planes: number;
  /** The `channels` planes of every image are some channels of y; the rest of y is left as it is. Default: all. */
  readonly into?: ChannelRange & { readonly channels: number };
}

export function reference(p: Pool2dParams, inputs: Inputs) {
  const x = inputs.x!;
  const { outHeight, outWidth } = outputSize(p);
  const { channels, first, of } = p.into ?? { channels: p.planes, first: 0, of: p.planes };
  const pixels = outHeight * outWidth;
  // What is not asked for keeps what the caller put there: NaN in the tests.
  const y = new Float64Array((p.planes / channels) * of * pixels).fill(Number.NaN);
  for (let i = 0; i < p.planes * pixels; i++) {
    const plane = Math.floor(i / pixels);
    const top = Math.floor((i % pixels) / outWidth) * p.stride - p.padHeight;
    const left = (i % outWidth) * p.stride - p.padWidth;
    const inside: number[] = [];
    for (let row = Math.max(top, 0); row < Math.min(top + p.kernelHeight, p.height); row++) {
      for (let col = Math.max(left, 0); col < Math.min(left + p.kernelWidth, p.width); col++) {
        inside.push(x[(plane * p.height + row) * p.width + col]!);
      }
    }
    const odd = inside.filter((v) => !Number.isFinite(v)).at(-1);
    const channel = Math.floor(plane / channels) * of + first + (plane % channels);
    y[channel * pixels + (i % pixels)] =
      odd ?? (p.mode === "mean" ? inside.reduce((a, b) => a + b, 0) / inside.length : Math.max(...inside));
  }
  return { y };
}
