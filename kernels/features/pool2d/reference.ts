import type { Inputs } from "../../../src/gpu/contract.js";
import { outputSize, type Window } from "../../lib/window.js";

/**
 * Pooling over windows; f32 whatever the precision of the plan. The padding is at most half of the kernel: every window
 * holds a pixel of the image.
 */
export interface Pool2dParams extends Window {
  readonly mode: "max" | "mean";
  /** Images times channels. */
  readonly planes: number;
}

export function reference(p: Pool2dParams, inputs: Inputs) {
  const x = inputs.x!;
  const { outHeight, outWidth } = outputSize(p);
  const y = new Float64Array(p.planes * outHeight * outWidth);
  for (let i = 0; i < y.length; i++) {
    const plane = Math.floor(i / (outHeight * outWidth));
    const top = Math.floor((i % (outHeight * outWidth)) / outWidth) * p.stride - p.padHeight;
    const left = (i % outWidth) * p.stride - p.padWidth;
    const inside: number[] = [];
    for (let row = Math.max(top, 0); row < Math.min(top + p.kernelHeight, p.height); row++) {
      for (let col = Math.max(left, 0); col < Math.min(left + p.kernelWidth, p.width); col++) {
        inside.push(x[(plane * p.height + row) * p.width + col]!);
      }
    }
    const odd = inside.filter((v) => !Number.isFinite(v)).at(-1);
    y[i] = odd ?? (p.mode === "mean" ? inside.reduce((a, b) => a + b, 0) / inside.length : Math.max(...inside));
  }
  return { y };
}
