import type { Inputs } from "../../../src/gpu/contract.js";

export interface BlockDctParams {
  readonly planes: number;
  readonly height: number;
  readonly width: number;
  readonly inverse: boolean;
}

export function reference({ planes, height, width, inverse }: BlockDctParams, { x, table }: Inputs) {
  const d = (k: number, i: number) => (inverse ? table![i * 8 + k]! : table![k * 8 + i]!);
  const y = Float64Array.from({ length: planes * height * width }, (_, at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    const [k, l] = [row % 8, column % 8];
    let sum = 0;
    for (let a = 0; a < 8; a++)
      for (let b = 0; b < 8; b++) sum += d(k, a) * x![(row - k + a) * width + column - l + b]! * d(l, b);
    return sum;
  });
  return { y };
}
