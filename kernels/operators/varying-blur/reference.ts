import type { Inputs } from "../../../src/gpu/contract.js";

export interface VaryingBlurParams {
  readonly planes: number;
  readonly height: number;
  readonly width: number;
  /** Number of kernels, and entries on a side of each. */
  readonly count: number;
  readonly side: number;
  /** Circular borders; otherwise zeros outside. */
  readonly circular: boolean;
  readonly adjoint: boolean;
}

export function reference(p: VaryingBlurParams, { x, kernels, weights }: Inputs) {
  const { planes, height, width, count, side, circular, adjoint } = p;
  const pixels = height * width;
  const middle = Math.floor(side / 2);
  const place = (i: number, n: number) => (circular ? ((i % n) + n) % n : i >= 0 && i < n ? i : -1);
  const y = new Float64Array(planes * pixels);
  for (let plane = 0; plane < planes; plane++) {
    for (let k = 0; k < count; k++) {
      for (let i = 0; i < pixels; i++) {
        for (let tap = 0; tap < side * side; tap++) {
          const [a, b] = [Math.floor(tap / side), tap % side];
          // Pixel `to` of A x gets kernel * weight * pixel i.
          const row = place(Math.floor(i / width) + a - middle, height);
          const column = place((i % width) + b - middle, width);
          if (row < 0 || column < 0) continue;
          const to = row * width + column;
          const factor = kernels![k * side * side + tap]! * weights![k * pixels + i]!;
          const [from, goal] = adjoint ? [to, i] : [i, to];
          y[plane * pixels + goal]! += factor * x![plane * pixels + from]!;
        }
      }
    }
  }
  return { y };
}
