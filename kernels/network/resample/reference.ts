import type { Inputs } from "../../../src/gpu/contract.js";

export interface ResampleParams {
  /** Images. */
  readonly batch: number;
  readonly channels: number;
  /** Of the input; an odd one loses its last row or column when going down. */
  readonly height: number;
  /** Of the input. */
  readonly width: number;
  /** Separable filter: even length 2..64, symmetric, any scale (it is divided by its sum, which must not be 0). */
  readonly filter: readonly number[];
  /** "up" doubles height and width, "down" halves them. */
  readonly mode: "up" | "down";
  /** Write s = mp_silu(y), too. */
  readonly silu?: boolean;
}

export function reference({ batch, channels, height, width, filter, mode, silu }: ResampleParams, { x }: Inputs) {
  const sum = filter.reduce((a, b) => a + b, 0);
  const f = filter.map((value) => value / sum);
  const pad = f.length / 2 - 1;
  const up = mode === "up";
  const outHeight = up ? height * 2 : Math.floor(height / 2);
  const outWidth = up ? width * 2 : Math.floor(width / 2);
  const y = new Float64Array(batch * channels * outHeight * outWidth);
  // Weight of input position i in output position q along one axis.
  const weight = (q: number, i: number) => (up ? 2 * (f[q + pad - 2 * i] ?? 0) : (f[i - 2 * q + pad] ?? 0));
  for (let plane = 0; plane < batch * channels; plane++) {
    for (let row = 0; row < outHeight; row++) {
      for (let column = 0; column < outWidth; column++) {
        let value = 0;
        for (let r = 0; r < height; r++) {
          const a = weight(row, r);
          if (a === 0) continue;
          for (let c = 0; c < width; c++) value += a * weight(column, c) * x![(plane * height + r) * width + c]!;
        }
        y[(plane * outHeight + row) * outWidth + column] = value;
      }
    }
  }
  return { y, s: silu ? y.map((v) => v / (1 + Math.exp(-v)) / 0.596) : new Float64Array(0) };
}
