export interface AttentionParams {
  readonly batch: number;
  readonly heads: number;
  /** Channels of one head, at most 4096. */
  readonly headDim: number;
  /** Height times width. */
  readonly pixels: number;
}

export function reference(
  { batch, heads, headDim: d, pixels }: AttentionParams,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const y = new Float64Array(batch * heads * d * pixels);
  for (let head = 0; head < batch * heads; head++) {
    const [q, k, v] = [0, 1, 2].map((s) => normalised(inputs.qkv!, head, s, d, pixels)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const weights = new Float64Array(pixels);
    for (let i = 0; i < pixels; i++) {
      for (let j = 0; j < pixels; j++) {
        let dot = 0;
        for (let c = 0; c < d; c++) dot += q[c * pixels + i]! * k[c * pixels + j]!;
        weights[j] = Math.exp(dot / Math.sqrt(d));
      }
      const total = weights.reduce((a, b) => a + b, 0);
      for (let c = 0; c < d; c++) {
        let sum = 0;
        for (let j = 0; j < pixels; j++) sum += weights[j]! * v[c * pixels + j]!;
        y[(head * d + c) * pixels + i] = sum / total;
      }
    }
  }
  return { y };
}

/** q, k or v (s = 0, 1, 2) of one head as [d, P], divided by 1e-4 + RMS over d. */
function normalised(qkv: ArrayLike<number>, head: number, s: number, d: number, pixels: number): Float64Array {
  const result = new Float64Array(d * pixels);
  for (let i = 0; i < pixels; i++) {
    let squares = 0;
    for (let c = 0; c < d; c++) squares += qkv[((head * d + c) * 3 + s) * pixels + i]! ** 2;
    const norm = 1e-4 + Math.sqrt(squares / d);
    for (let c = 0; c < d; c++) result[c * pixels + i] = qkv[((head * d + c) * 3 + s) * pixels + i]! / norm;
  }
  return result;
}
