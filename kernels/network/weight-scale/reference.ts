import type { WeightRows } from "../../lib/weight-rows.js";

/** y = factor * gain / sqrt(fanIn) / (1e-4 + RMS of the row). */
export function reference(
  { rows, fanIn, gained, factor }: WeightRows,
  { w, gain }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const scale = (factor * (gained ? gain![0]! : 1)) / Math.sqrt(fanIn);
  const y = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let i = row * fanIn; i < (row + 1) * fanIn; i++) squares += w![i]! ** 2;
    y[row] = scale / (1e-4 + Math.sqrt(squares / fanIn));
  }
  return { y };
}
