/** Terms after which neither way of computing changes a double any more. */
const TERMS = 120;

/**
 * The distribution function of the standard normal distribution, to about 1e-15: by its series at 0 (Abramowitz and Stegun,
 * 26.2.11), far out by the continued fraction (26.2.14).
 */
export function normalCdf(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  const size = Math.abs(x);
  if (size > 38) return x > 0 ? 1 : 0;
  if (size > 4) {
    let fraction = size;
    for (let k = TERMS; k > 0; k--) fraction = size + k / fraction;
    return x > 0 ? 1 - density / fraction : density / fraction;
  }
  let [term, sum] = [x, x];
  for (let k = 1; k < TERMS; k++) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  return 0.5 + density * sum;
}
