import { rowProducts } from "./row-products.js";

/** Traces of roots of products of covariances without eigenvectors: tr((S R)^(1/2)) is the sum of the singular values of F G^T. */

/** A covariance as a product F^T F. */
export interface Factor {
  /** F, [rank, dim], row by row, its columns in `order`: zeros before the diagonal. */
  readonly rows: Float64Array;
  readonly rank: number;
  /** Which feature column j of F is. */
  readonly order: Uint32Array;
  /** The smallest variance that was left when nothing but rounding was. */
  readonly least: number;
}

/** Factor of a covariance by Cholesky's method with diagonal pivoting, stopped where nothing but rounding is left. */
export function factorOf(cov: ArrayLike<number>, dim: number): Factor {
  const rest = Float64Array.from({ length: dim }, (_, i) => cov[i * dim + i]!);
  const order = Uint32Array.from({ length: dim }, (_, i) => i);
  const floor = rest.reduce((a, b) => Math.max(a, b), 0) * dim * 2 ** -52;
  const factor = new Float64Array(dim * dim);
  let rank = 0;
  for (; rank < dim; rank++) {
    let at = rank;
    for (let i = rank + 1; i < dim; i++) if (rest[i]! > rest[at]!) at = i;
    if (!(rest[at]! > floor)) break;
    for (const list of [rest, order]) [list[at], list[rank]] = [list[rank]!, list[at]!];
    const row = rank * dim;
    if (at !== rank)
      for (let k = 0; k < row; k += dim) [factor[k + at], factor[k + rank]] = [factor[k + rank]!, factor[k + at]!];
    const pivot = order[rank]! * dim;
    for (let i = rank + 1; i < dim; i++) factor[row + i] = cov[pivot + order[i]!]!;
    subtractRows(factor, dim, rank);
    const root = Math.sqrt(rest[rank]!);
    factor[row + rank] = root;
    for (let i = rank + 1; i < dim; i++) {
      const v = factor[row + i]! / root;
      factor[row + i] = v;
      rest[i]! -= v * v;
    }
  }
  return {
    rows: factor.subarray(0, rank * dim),
    rank,
    order,
    least: rest.subarray(rank).reduce((a, b) => Math.min(a, b), 0),
  };
}

/** Row `rank` less the earlier rows, each times its value in column `rank`; four at a time, so that the row is loaded less often. */
function subtractRows(factor: Float64Array, dim: number, rank: number): void {
  const row = rank * dim;
  let k = 0;
  for (; k + 3 < rank; k += 4) {
    const [a, b, c, d] = [k * dim, (k + 1) * dim, (k + 2) * dim, (k + 3) * dim];
    const [fa, fb, fc, fd] = [factor[a + rank]!, factor[b + rank]!, factor[c + rank]!, factor[d + rank]!];
    for (let i = rank + 1; i < dim; i++)
      factor[row + i]! -= fa * factor[a + i]! + fb * factor[b + i]! + fc * factor[c + i]! + fd * factor[d + i]!;
  }
  for (; k < rank; k++) {
    const at = k * dim;
    const f = factor[at + rank]!;
    for (let i = rank + 1; i < dim; i++) factor[row + i]! -= f * factor[at + i]!;
  }
}

/** F G^T, [rank of F, rank of G]; what is zero before F's diagonal is left out. */
export function factorProduct(f: Factor, g: Factor): Float64Array {
  const dim = f.order.length;
  const place = new Uint32Array(dim);
  for (let j = 0; j < dim; j++) place[f.order[j]!] = j;
  // G with its columns in F's order.
  const columns = new Float64Array(g.rank * dim);
  for (let i = 0; i < g.rank; i++)
    for (let j = i; j < dim; j++) columns[i * dim + place[g.order[j]!]!] = g.rows[i * dim + j]!;
  return rowProducts(f.rows, columns, dim, (i) => i);
}
