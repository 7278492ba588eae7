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

/** F G^T, [rank of F, rank of G], in blocks that stay in the cache; what is zero before F's diagonal is left out. */
export function factorProduct(f: Factor, g: Factor): Float64Array {
  const dim = f.order.length;
  const [m, n] = [f.rank, g.rank];
  const place = new Uint32Array(dim);
  for (let j = 0; j < dim; j++) place[f.order[j]!] = j;
  // G with its columns in F's order.
  const b = new Float64Array(n * dim);
  for (let i = 0; i < n; i++) for (let j = i; j < dim; j++) b[i * dim + place[g.order[j]!]!] = g.rows[i * dim + j]!;
  const a = f.rows;
  const out = new Float64Array(m * n);
  const [block, part] = [32, 256];
  for (let k0 = 0; k0 < dim; k0 += part) {
    const k1 = Math.min(dim, k0 + part);
    for (let j0 = 0; j0 < n; j0 += block) {
      const j1 = Math.min(n, j0 + block);
      for (let i = 0; i < Math.min(m, k1); i += 2) {
        const from = Math.max(k0, i);
        if (i + 1 < m) twoRows(a, b, out, { dim, n, i, j0, j1, from, to: k1 });
        else oneRow(a, b, out, { dim, n, i, j0, j1, from, to: k1 });
      }
    }
  }
  return out;
}

interface Tile {
  readonly dim: number;
  readonly n: number;
  readonly i: number;
  readonly j0: number;
  readonly j1: number;
  readonly from: number;
  readonly to: number;
}

function twoRows(a: Float64Array, b: Float64Array, out: Float64Array, { dim, n, i, j0, j1, from, to }: Tile): void {
  const a0 = i * dim;
  const a1 = a0 + dim;
  let j = j0;
  for (; j + 3 < j1; j += 4) {
    const b0 = j * dim;
    const [b1, b2, b3] = [b0 + dim, b0 + 2 * dim, b0 + 3 * dim];
    let [s0, s1, s2, s3, t0, t1, t2, t3] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let k = from; k < to; k++) {
      const v = a[a0 + k]!;
      const w = a[a1 + k]!;
      const [p, q, r, s] = [b[b0 + k]!, b[b1 + k]!, b[b2 + k]!, b[b3 + k]!];
      s0 += v * p;
      s1 += v * q;
      s2 += v * r;
      s3 += v * s;
      t0 += w * p;
      t1 += w * q;
      t2 += w * r;
      t3 += w * s;
    }
    const at = i * n + j;
    out[at]! += s0;
    out[at + 1]! += s1;
    out[at + 2]! += s2;
    out[at + 3]! += s3;
    out[at + n]! += t0;
    out[at + n + 1]! += t1;
    out[at + n + 2]! += t2;
    out[at + n + 3]! += t3;
  }
  if (j === j1) return;
  const rest = { dim, n, j0: j, j1, from, to };
  oneRow(a, b, out, { ...rest, i });
  oneRow(a, b, out, { ...rest, i: i + 1 });
}

function oneRow(a: Float64Array, b: Float64Array, out: Float64Array, { dim, n, i, j0, j1, from, to }: Tile): void {
  for (let j = j0; j < j1; j++) {
    let sum = 0;
    for (let k = from; k < to; k++) sum += a[i * dim + k]! * b[j * dim + k]!;
    out[i * n + j]! += sum;
  }
}
