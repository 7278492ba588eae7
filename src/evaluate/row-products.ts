/** Columns of the right matrix, and depth, that stay in the cache. */
const [BLOCK, PART] = [32, 256];

/**
 * Products of the rows of two matrices, [rows of a, rows of b], in blocks that stay in the cache.
 * @param from the first column of row i of a that is not 0; default 0
 */
export function rowProducts(
  a: Float64Array,
  b: Float64Array,
  dim: number,
  from: (i: number) => number = () => 0,
): Float64Array {
  const [m, n] = [a.length / dim, b.length / dim];
  const out = new Float64Array(m * n);
  for (let k0 = 0; k0 < dim; k0 += PART) {
    const k1 = Math.min(dim, k0 + PART);
    for (let j0 = 0; j0 < n; j0 += BLOCK) {
      const j1 = Math.min(n, j0 + BLOCK);
      for (let i = 0; i < m; i += 2) {
        const first = Math.max(k0, from(i));
        if (first >= k1) continue;
        const tile = { dim, n, i, j0, j1, from: first, to: k1 };
        if (i + 1 < m) twoRows(a, b, out, tile);
        else oneRow(a, b, out, tile);
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
