import { EVD, Matrix } from "ml-matrix";

/** Square matrices are row by row, in float64. */

/** Of the largest entry of the diagonal: pivots below it are zero but for rounding. */
const RANK = 1e-13;

/**
 * The lower factor L of a symmetric matrix a = L L'. A pivot that is zero but for rounding, or below zero, gives a column of
 * zeros, so that L z has the right covariance for singular matrices, too.
 * @param a n x n; only the lower triangle is read
 * @returns also the rank, and whether the matrix is a covariance: no pivot below zero but for rounding
 */
export function cholesky(a: Float64Array, n: number): { lower: Float64Array; rank: number; semidefinite: boolean } {
  const lower = new Float64Array(n * n);
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(a[i * n + i]!));
  let rank = 0;
  let semidefinite = true;
  for (let j = 0; j < n; j++) {
    let pivot = a[j * n + j]!;
    for (let k = 0; k < j; k++) pivot -= lower[j * n + k]! ** 2;
    // Covariances that were rounded to single precision are off by about 1e-7 of the largest variance.
    if (!(pivot >= -1e-6 * largest)) semidefinite = false;
    if (!(pivot > RANK * largest)) continue;
    rank++;
    const root = Math.sqrt(pivot);
    lower[j * n + j] = root;
    for (let i = j + 1; i < n; i++) {
      let sum = a[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!;
      lower[i * n + j] = sum / root;
    }
  }
  return { lower, rank, semidefinite };
}

/** b <- L^-1 b for `columns` columns (b: n x columns). */
export function solveLower(lower: Float64Array, b: Float64Array, n: number, columns: number): void {
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const l = lower[i * n + k]!;
      if (l === 0) continue;
      for (let c = 0; c < columns; c++) b[i * columns + c]! -= l * b[k * columns + c]!;
    }
    const d = lower[i * n + i]!;
    for (let c = 0; c < columns; c++) b[i * columns + c]! /= d;
  }
}

/** b <- L'^-1 b for `columns` columns (b: n x columns). */
export function solveUpper(lower: Float64Array, b: Float64Array, n: number, columns: number): void {
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) {
      const l = lower[k * n + i]!;
      if (l === 0) continue;
      for (let c = 0; c < columns; c++) b[i * columns + c]! -= l * b[k * columns + c]!;
    }
    const d = lower[i * n + i]!;
    for (let c = 0; c < columns; c++) b[i * columns + c]! /= d;
  }
}

/** a (n x m) times b (m x p). */
export function multiply(a: Float64Array, b: Float64Array, n: number, m: number, p: number): Float64Array {
  const out = new Float64Array(n * p);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < m; k++) {
      const v = a[i * m + k]!;
      if (v === 0) continue;
      for (let j = 0; j < p; j++) out[i * p + j]! += v * b[k * p + j]!;
    }
  }
  return out;
}

/** The transpose of a (n x m). */
export function transposed(a: Float64Array, n: number, m: number): Float64Array {
  return Float64Array.from({ length: n * m }, (_, i) => a[(i % n) * m + Math.floor(i / n)]!);
}

/** Eigenvalues of a symmetric matrix, negative ones of rounding as 0, and its eigenvectors as columns. */
export function eigenSymmetric(a: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const evd = new EVD(Matrix.from1DArray(n, n, a as unknown as number[]), { assumeSymmetric: true });
  return {
    values: Float64Array.from(evd.realEigenvalues, (v) => Math.max(v, 0)),
    vectors: Float64Array.from(evd.eigenvectorMatrix.to1DArray()),
  };
}

/** log sum exp. */
export function logSumExp(values: ArrayLike<number>): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) top = Math.max(top, values[i]!);
  if (!Number.isFinite(top)) return top;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i]! - top);
  return top + Math.log(sum);
}
