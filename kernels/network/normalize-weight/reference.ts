import type { WeightRows } from "../../lib/weight-rows.js";

/** y = w / (1e-4 + RMS of the row) * factor * gain / sqrt(fanIn). */
export function reference(
  { rows, fanIn, gained, factor }: WeightRows,
  { w, gain }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const y = new Float64Array(rows * fanIn);
  const scale = (factor * (gained ? gain![0]! : 1)) / Math.sqrt(fanIn);
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let i = row * fanIn; i < (row + 1) * fanIn; i++) squares += w![i]! ** 2;
    const s = 1e-4 + Math.sqrt(squares / fanIn);
    for (let i = row * fanIn; i < (row + 1) * fanIn; i++) y[i] = (w![i]! / s) * scale;
  }
  return { y };
}
