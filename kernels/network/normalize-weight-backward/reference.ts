import type { WeightRows } from "../../lib/weight-rows.js";

/** dgain is per row: its sum is the gain's gradient. */
export function reference(
  { rows, fanIn, gained, factor }: WeightRows,
  { w, gain, g }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const dw = new Float64Array(rows * fanIn);
  const dgain = new Float64Array(gained ? rows : 0);
  const plain = factor / Math.sqrt(fanIn);
  const scale = plain * (gained ? gain![0]! : 1);
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    let dot = 0;
    for (let i = row * fanIn; i < (row + 1) * fanIn; i++) {
      squares += w![i]! ** 2;
      dot += w![i]! * g![i]!;
    }
    const r = Math.sqrt(squares / fanIn);
    const s = 1e-4 + r;
    const pull = r === 0 ? 0 : dot / (fanIn * r * s);
    for (let i = row * fanIn; i < (row + 1) * fanIn; i++) dw[i] = ((g![i]! - w![i]! * pull) * scale) / s;
    if (gained) dgain[row] = (plain * dot) / s;
  }
  return { dw, dgain };
}
