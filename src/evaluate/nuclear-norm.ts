/** Traces of roots of products of covariances without eigenvectors: tr((S R)^(1/2)) is the sum of the singular values of F G^T. */

/**
 * Factor of a covariance by Cholesky's method with diagonal pivoting, stopped where nothing but rounding is left: S = F^T F, F
 * [rank, dim].
 * @returns `least`: the smallest variance that was left
 */
export function factorOf(cov: ArrayLike<number>, dim: number): { rows: Float64Array; rank: number; least: number } {
  const rest = Float64Array.from({ length: dim }, (_, i) => cov[i * dim + i]!);
  const order = Uint32Array.from({ length: dim }, (_, i) => i);
  const floor = rest.reduce((a, b) => Math.max(a, b), 0) * dim * 2 ** -52;
  /** Columns in the order of the pivots. */
  const factor = new Float64Array(dim * dim);
  let rank = 0;
  for (; rank < dim; rank++) {
    let at = rank;
    for (let i = rank + 1; i < dim; i++) if (rest[i]! > rest[at]!) at = i;
    if (!(rest[at]! > floor)) break;
    for (const list of [rest, order]) [list[at], list[rank]] = [list[rank]!, list[at]!];
    const row = rank * dim;
    for (let k = 0; k < row; k += dim) [factor[k + at], factor[k + rank]] = [factor[k + rank]!, factor[k + at]!];
    const pivot = order[rank]! * dim;
    for (let i = rank + 1; i < dim; i++) factor[row + i] = cov[pivot + order[i]!]!;
    for (let k = 0; k < row; k += dim) {
      const f = factor[k + rank]!;
      if (f !== 0) for (let i = rank + 1; i < dim; i++) factor[row + i]! -= f * factor[k + i]!;
    }
    const root = Math.sqrt(rest[rank]!);
    factor[row + rank] = root;
    for (let i = rank + 1; i < dim; i++) {
      factor[row + i]! /= root;
      rest[i]! -= factor[row + i]! ** 2;
    }
  }
  const rows = new Float64Array(rank * dim);
  for (let k = 0; k < rank; k++) for (let i = 0; i < dim; i++) rows[k * dim + order[i]!] = factor[k * dim + i]!;
  return { rows, rank, least: rest.subarray(rank).reduce((a, b) => Math.min(a, b), 0) };
}

/** The products of all rows of a with all rows of b, [a's rows, b's rows], in blocks that stay in the cache. */
export function rowProducts(a: Float64Array, b: Float64Array, dim: number): Float64Array {
  const [m, n] = [a.length / dim, b.length / dim];
  const out = new Float64Array(m * n);
  const [block, part] = [32, 256];
  for (let k0 = 0; k0 < dim; k0 += part) {
    const k1 = Math.min(dim, k0 + part);
    for (let j0 = 0; j0 < n; j0 += block) {
      const j1 = Math.min(n, j0 + block);
      for (let i = 0; i < m; i++) {
        const ai = i * dim;
        let j = j0;
        for (; j + 3 < j1; j += 4) {
          const bj = j * dim;
          let [s0, s1, s2, s3] = [0, 0, 0, 0];
          for (let k = k0; k < k1; k++) {
            const v = a[ai + k]!;
            s0 += v * b[bj + k]!;
            s1 += v * b[bj + dim + k]!;
            s2 += v * b[bj + 2 * dim + k]!;
            s3 += v * b[bj + 3 * dim + k]!;
          }
          out[i * n + j]! += s0;
          out[i * n + j + 1]! += s1;
          out[i * n + j + 2]! += s2;
          out[i * n + j + 3]! += s3;
        }
        for (; j < j1; j++) {
          let sum = 0;
          for (let k = k0; k < k1; k++) sum += a[ai + k]! * b[j * dim + k]!;
          out[i * n + j]! += sum;
        }
      }
    }
  }
  return out;
}

/** Sum of the singular values of a matrix [m, n], which is overwritten: Householder's bidiagonal form, then its values. */
export function nuclearNorm(a: Float64Array, m: number, n: number): number {
  if (m < n) {
    const turned = new Float64Array(m * n);
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) turned[j * m + i] = a[i * n + j]!;
    return nuclearNorm(turned, n, m);
  }
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  const w = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    // Column k to one value.
    let scale = 0;
    for (let i = k; i < m; i++) scale = Math.hypot(scale, a[i * n + k]!);
    if (scale !== 0) {
      const alpha = a[k * n + k]! > 0 ? -scale : scale;
      a[k * n + k]! -= alpha;
      // v^T v / 2 = -alpha v_k
      const beta = -alpha * a[k * n + k]!;
      w.fill(0, k + 1);
      for (let i = k; i < m; i++) {
        const v = a[i * n + k]!;
        if (v !== 0) for (let j = k + 1, at = i * n + k + 1; j < n; j++, at++) w[j]! += v * a[at]!;
      }
      for (let j = k + 1; j < n; j++) w[j]! /= beta;
      for (let i = k; i < m; i++) {
        const v = a[i * n + k]!;
        if (v !== 0) for (let j = k + 1, at = i * n + k + 1; j < n; j++, at++) a[at]! -= v * w[j]!;
      }
      d[k] = alpha;
    }
    if (k + 1 >= n) break;
    // Row k to one value beside the diagonal.
    const row = a.subarray(k * n, (k + 1) * n);
    let norm = 0;
    for (let j = k + 1; j < n; j++) norm = Math.hypot(norm, row[j]!);
    if (norm === 0) continue;
    const alpha = row[k + 1]! > 0 ? -norm : norm;
    row[k + 1]! -= alpha;
    const beta = -alpha * row[k + 1]!;
    for (let i = k + 1; i < m; i++) {
      const base = i * n;
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += a[base + j]! * row[j]!;
      sum /= beta;
      for (let j = k + 1; j < n; j++) a[base + j]! -= sum * row[j]!;
    }
    e[k + 1] = alpha;
  }
  return bidiagonalSum(d, e);
}

/** Sum of singular values of the bidiagonal matrix with diagonal d and e[i] above d[i], by implicit QR steps (Golub & Reinsch 1970). */
function bidiagonalSum(d: Float64Array, e: Float64Array): number {
  const n = d.length;
  let anorm = 0;
  for (let i = 0; i < n; i++) anorm = Math.max(anorm, Math.abs(d[i]!) + Math.abs(e[i]!));
  const tiny = anorm * 2 ** -53;
  for (let k = n - 1; k >= 0; k--) {
    for (let turn = 0; turn < 60; turn++) {
      let l = k;
      let split = false;
      for (; l > 0; l--) {
        if (Math.abs(e[l]!) <= tiny) break;
        if (Math.abs(d[l - 1]!) <= tiny) {
          split = true;
          break;
        }
      }
      if (split) {
        // d[l - 1] is 0: e[l] is turned out of the row.
        let [c, s] = [0, 1];
        for (let i = l; i <= k; i++) {
          const f = s * e[i]!;
          e[i] = c * e[i]!;
          if (Math.abs(f) <= tiny) break;
          const g = d[i]!;
          const h = Math.hypot(f, g);
          d[i] = h;
          c = g / h;
          s = -f / h;
        }
      }
      const z = d[k]!;
      if (l === k) {
        if (z < 0) d[k] = -z;
        break;
      }
      if (turn === 59) throw new Error("the singular values do not converge");
      let x = d[l]!;
      let y = d[k - 1]!;
      let g = e[k - 1]!;
      let h = e[k]!;
      let f = ((y - z) * (y + z) + (g - h) * (g + h)) / (2 * h * y);
      g = Math.hypot(f, 1);
      f = ((x - z) * (x + z) + h * (y / (f + (f >= 0 ? g : -g)) - h)) / x;
      let [c, s] = [1, 1];
      for (let j = l; j < k; j++) {
        g = e[j + 1]!;
        y = d[j + 1]!;
        h = s * g;
        g = c * g;
        let r = Math.hypot(f, h);
        e[j] = r;
        c = f / r;
        s = h / r;
        f = x * c + g * s;
        g = g * c - x * s;
        h = y * s;
        y *= c;
        r = Math.hypot(f, h);
        d[j] = r;
        if (r !== 0) {
          c = f / r;
          s = h / r;
        }
        f = c * g + s * y;
        x = c * y - s * g;
      }
      e[l] = 0;
      e[k] = f;
      d[k] = x;
    }
  }
  return d.reduce((sum, v) => sum + Math.abs(v), 0);
}
