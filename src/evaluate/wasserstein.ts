import { normals } from "../../kernels/lib/philox.js";
import { bad, checkKeys } from "../errors.js";

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

/** Random directions of `slicedWasserstein` where none are given. */
const PROJECTIONS = 64;

/**
 * Sliced 1-Wasserstein distance of two samples of points: the mean over directions of the exact distance of the projections
 * (Bonneel et al. 2015).
 * @param a rows of `coordinates` numbers
 * @param b the same; another number of rows is fine
 * @param options directions: rows of `coordinates` numbers, used as they are; absent: `projections` (64) standard normal
 *   vectors of `seed` (0), normalised
 */
export function slicedWasserstein(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: {
    readonly coordinates: number;
    readonly directions?: ArrayLike<number>;
    readonly projections?: number;
    readonly seed?: number;
  },
): number {
  const call = "slicedWasserstein";
  checkKeys(call, options, { coordinates: true, directions: true, projections: true, seed: true });
  const { coordinates, projections = PROJECTIONS, seed = 0 } = options;
  for (const [name, value] of Object.entries({ coordinates, projections }))
    if (!Number.isInteger(value) || value < 1) throw bad(`${call}: ${name} must be a positive integer, got ${value}.`);
  const directions = options.directions ?? directionsOf(coordinates, projections, seed);
  for (const [name, rows] of Object.entries({ a, b, directions })) {
    if (rows.length === 0 || rows.length % coordinates !== 0)
      throw bad(
        `${call}: ${name} holds ${rows.length} values, which is no positive multiple of ${coordinates}, one row.`,
      );
  }
  let sum = 0;
  const count = directions.length / coordinates;
  for (let d = 0; d < count; d++) {
    const onto = (rows: ArrayLike<number>) =>
      Float64Array.from({ length: rows.length / coordinates }, (_, n) => {
        let dot = 0;
        for (let c = 0; c < coordinates; c++) dot += rows[n * coordinates + c]! * directions[d * coordinates + c]!;
        return dot;
      });
    sum += wasserstein1(onto(a), onto(b));
  }
  return sum / count;
}

/** Rows of length 1 in all directions alike. */
function directionsOf(coordinates: number, count: number, seed: number): Float64Array {
  const rows = Float64Array.from(normals(seed, 0, coordinates * count));
  for (let d = 0; d < count; d++) {
    const row = rows.subarray(d * coordinates, (d + 1) * coordinates);
    const norm = Math.hypot(...row);
    for (let c = 0; c < coordinates; c++) row[c]! /= norm;
  }
  return rows;
}

function sorted(name: string, values: ArrayLike<number>): Float64Array {
  const list = Float64Array.from(values);
  if (list.length === 0) throw bad(`wasserstein1: ${name} is empty: give at least one value.`);
  const at = list.findIndex((v) => !Number.isFinite(v));
  if (at >= 0) throw bad(`wasserstein1: ${name} holds ${list[at]} at index ${at}: every value must be finite.`);
  return list.sort();
}
