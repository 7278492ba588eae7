import type { Inputs } from "../../../src/gpu/contract.js";

export interface PointMeasureParams {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly law: "clip" | "round" | "blocks" | "counts";
  /** The factor of clip, the highest level of round, the peak of counts. */
  readonly scale: number;
  /** The background of counts. */
  readonly offset: number;
  /** Of clip: the gradient of (clip(scale x) - measured)^2. */
  readonly gradient: boolean;
}

export function reference(
  { batch, height, width, law, scale, offset, gradient }: PointMeasureParams,
  { x, measured, steps }: Inputs,
) {
  const y = Float64Array.from({ length: batch * height * width }, (_, i) => {
    const v = x![i]!;
    if (law === "clip") {
      const clipped = Math.max(-1, Math.min(1, scale * v));
      if (!gradient) return clipped;
      return clipped === scale * v ? 2 * scale * (clipped - measured![i]!) : 0;
    }
    if (law === "round") {
      const level = Math.floor(((v + 1) / 2) * scale + 0.5);
      return (2 * Math.max(0, Math.min(scale, level))) / scale - 1;
    }
    if (law === "counts") return Math.max(0, (scale * (v + 1)) / 2 + offset);
    const place = (Math.floor(i / width) % 8) * 8 + ((i % width) % 8);
    return Math.floor((127.5 * v - (place === 0 ? 4 : 0)) / steps![place]! + 0.5);
  });
  return { y };
}
