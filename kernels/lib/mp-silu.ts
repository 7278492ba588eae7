/** mp_silu(x) = x sigmoid(x) / 0.596 in float64 (EDM2, eq. 81). */
export function mpSiluOf(x: number): number {
  return x / (1 + Math.exp(-x)) / 0.596;
}

/** Its derivative, (p + x p (1 - p)) / 0.596 with p = sigmoid(x): finite for every finite x. */
export function mpSiluSlope(x: number): number {
  const e = Math.exp(-Math.abs(x));
  const p = (x >= 0 ? 1 : e) / (1 + e);
  const q = (x >= 0 ? e : 1) / (1 + e);
  return (p + x * p * q) / 0.596;
}
