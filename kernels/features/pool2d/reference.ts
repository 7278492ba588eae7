import { outputSize } from "../../lib/window.js";
import type { Pool2dParams } from "./kernel.js";

export function pool2dReference(p: Pool2dParams, inputs: Readonly<Record<string, ArrayLike<number>>>) {
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
