import { bad } from "../errors.js";

/**
 * The 1-Wasserstein distance between two samples of numbers: the integral of |F^-1 - G^-1| over their quantile functions; for
 * equal counts the mean of |sorted a - sorted b|.
 */
export function wasserstein1(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [p, q] = [sorted("a", a), sorted("b", b)];
  let [i, j, at, sum] = [0, 0, 0, 0];
  // Quantiles are constant between the multiples of 1 / a.length and of 1 / b.length.
  while (i < p.length && j < q.length) {
    // In units of 1 / (a.length b.length), which are whole numbers.
    const next = Math.min((i + 1) * q.length, (j + 1) * p.length);
    sum += (next - at) * Math.abs(p[i]! - q[j]!);
    if (next === (i + 1) * q.length) i++;
    if (next === (j + 1) * p.length) j++;
    at = next;
  }
  return sum / (p.length * q.length);
}

function sorted(name: string, values: ArrayLike<number>): Float64Array {
  const list = Float64Array.from(values);
  if (list.length === 0) throw bad(`wasserstein1: ${name} is empty: give at least one value.`);
  const at = list.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) throw bad(`wasserstein1: ${name} holds ${list[at]} at index ${at}: every value must be finite.`);
  return list.sort();
}
