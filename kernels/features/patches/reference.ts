import type { Inputs } from "../../../src/gpu/contract.js";
import { outputSize, type Window } from "../../lib/window.js";

/** Patches of some output pixels of a batch; f32 whatever the precision of the plan. */
export interface PatchesParams extends Window {
  readonly batch: number;
  readonly inChannels: number;
  /** Output pixels of all images, counted together: `count` of them from `first` on. */
  readonly pixels: { readonly first: number; readonly count: number };
}

/** Columns of the matrix: a multiple of 4. */
export function patchColumns({ pixels }: Pick<PatchesParams, "pixels">): number {
  return Math.ceil(pixels.count / 4) * 4;
}

export function reference(p: PatchesParams, { x }: Inputs) {
  const { inChannels, height, width, kernelHeight, kernelWidth, stride, padHeight, padWidth, pixels } = p;
  const { outHeight, outWidth } = outputSize(p);
  const columns = patchColumns(p);
  const plane = outHeight * outWidth;
  const taps = kernelHeight * kernelWidth;
  const y = Float64Array.from({ length: inChannels * taps * columns }, (_, i) => {
    const column = pixels.first + Math.min(i % columns, pixels.count - 1);
    const row = Math.floor(i / columns);
    const [channel, tap] = [Math.floor(row / taps), row % taps];
    const image = Math.floor(column / plane);
    const place = column % plane;
    const atRow = Math.floor(place / outWidth) * stride + Math.floor(tap / kernelWidth) - padHeight;
    const atColumn = (place % outWidth) * stride + (tap % kernelWidth) - padWidth;
    if (atRow < 0 || atRow >= height || atColumn < 0 || atColumn >= width) return 0;
    return x![((image * inChannels + channel) * height + atRow) * width + atColumn]!;
  });
  return { y };
}
