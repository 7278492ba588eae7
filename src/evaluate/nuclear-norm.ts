/** Reflections that are gathered before the rest of the matrix is brought up to date. */
const PANEL = 24;

/** Sum of the singular values of a matrix [m, n], which is overwritten: Householder's bidiagonal form in panels, then its values. */
export function nuclearNorm(a: Float64Array, m: number, n: number): number {
  if (m < n) {
    const turned = new Float64Array(m * n);
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) turned[j * m + i] = a[i * n + j]!;
    return nuclearNorm(turned, n, m);
  }
  const d = new Float64Array(n);
  const e = new Float64Array(n);
  const panel = new Panel(a, m, n);
  for (let k = 0; k < n; k += PANEL) panel.reduce(k, Math.min(k + PANEL, n), d, e);
  return bidiagonalSum(d, e);
}

/**
 * Columns and rows `from` to `to` of a matrix to bidiagonal form (Dongarra, Hammarling & Sorensen 1989; LAPACK's dlabrd): the
 * matrix A itself stays behind by sum v_k y_k^T + x_k u_k^T, which is subtracted once a panel.
 */
class Panel {
  readonly #a: Float64Array;
  readonly #m: number;
  readonly #n: number;
  /** [panel, m] and [panel, n], each reflection's vectors in one piece. */
  readonly #v: Float64Array[];
  readonly #x: Float64Array[];
  readonly #u: Float64Array[];
  readonly #y: Float64Array[];

  constructor(a: Float64Array, m: number, n: number) {
    this.#a = a;
    this.#m = m;
    this.#n = n;
    const list = (length: number) => Array.from({ length: PANEL }, () => new Float64Array(length));
    [this.#v, this.#x, this.#u, this.#y] = [list(m), list(m), list(n), list(n)];
  }

  reduce(from: number, to: number, d: Float64Array, e: Float64Array): void {
    for (let k = from; k < to; k++) {
      const at = k - from;
      d[k] = this.#column(k, at);
      if (k + 1 < this.#n) e[k + 1] = this.#row(k, at);
    }
    if (to < this.#n) this.#update(to, to - from);
  }

  /** Column k to one value. */
  #column(k: number, at: number): number {
    const [a, m, n] = [this.#a, this.#m, this.#n];
    const v = this.#v[at]!;
    const y = this.#y[at]!;
    for (let i = k; i < m; i++) v[i] = a[i * n + k]!;
    for (let p = 0; p < at; p++) {
      axpy(v, -this.#y[p]![k]!, this.#v[p]!, k, m);
      axpy(v, -this.#u[p]![k]!, this.#x[p]!, k, m);
    }
    const [alpha, beta] = reflection(v, k, m);
    y.fill(0, k + 1);
    if (beta === 0) {
      v.fill(0, k);
      return alpha;
    }
    timesRows(a, n, v, y, [k, m], [k + 1, n]);
    for (let p = 0; p < at; p++) {
      axpy(y, -dot(this.#v[p]!, v, k, m), this.#y[p]!, k + 1, n);
      axpy(y, -dot(this.#x[p]!, v, k, m), this.#u[p]!, k + 1, n);
    }
    for (let j = k + 1; j < n; j++) y[j]! /= beta;
    return alpha;
  }

  /** What is right of the diagonal of row k to one value. */
  #row(k: number, at: number): number {
    const [a, m, n] = [this.#a, this.#m, this.#n];
    const u = this.#u[at]!;
    const x = this.#x[at]!;
    for (let j = k + 1; j < n; j++) u[j] = a[k * n + j]!;
    for (let p = 0; p <= at; p++) {
      axpy(u, -this.#v[p]![k]!, this.#y[p]!, k + 1, n);
      if (p < at) axpy(u, -this.#x[p]![k]!, this.#u[p]!, k + 1, n);
    }
    const [alpha, beta] = reflection(u, k + 1, n);
    x.fill(0, k + 1);
    if (beta === 0) {
      u.fill(0, k + 1);
      return alpha;
    }
    timesColumns(a, n, u, x, [k + 1, m], [k + 1, n]);
    for (let p = 0; p <= at; p++) {
      axpy(x, -dot(this.#y[p]!, u, k + 1, n), this.#v[p]!, k + 1, m);
      if (p < at) axpy(x, -dot(this.#u[p]!, u, k + 1, n), this.#x[p]!, k + 1, m);
    }
    for (let i = k + 1; i < m; i++) x[i]! /= beta;
    return alpha;
  }

  /** A less v y^T + x u^T of all reflections of the panel, from row and column `to` on. */
  #update(to: number, count: number): void {
    const [a, m, n] = [this.#a, this.#m, this.#n];
    const terms = 2 * count;
    const left = new Float64Array(terms * 2);
    const width = 64;
    const right = new Float64Array(terms * width);
    for (let j0 = to; j0 < n; j0 += width) {
      const columns = Math.min(width, n - j0);
      for (let p = 0; p < count; p++) {
        right.set(this.#y[p]!.subarray(j0, j0 + columns), 2 * p * width);
        right.set(this.#u[p]!.subarray(j0, j0 + columns), (2 * p + 1) * width);
      }
      for (let i = to; i < m; i += 2) {
        const second = i + 1 < m ? i + 1 : i;
        for (let p = 0; p < count; p++) {
          left[4 * p] = this.#v[p]![i]!;
          left[4 * p + 1] = this.#v[p]![second]!;
          left[4 * p + 2] = this.#x[p]![i]!;
          left[4 * p + 3] = this.#x[p]![second]!;
        }
        subtractTile(a, left, right, { terms, width, columns, first: i * n + j0, second: second * n + j0 });
      }
    }
  }
}

function subtractTile(
  a: Float64Array,
  left: Float64Array,
  right: Float64Array,
  place: { terms: number; width: number; columns: number; first: number; second: number },
): void {
  const { terms, width, columns, first, second } = place;
  let j = 0;
  for (; j + 3 < columns; j += 4) {
    let [s0, s1, s2, s3, t0, t1, t2, t3] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let p = 0, at = j; p < terms; p++, at += width) {
      const v = left[2 * p]!;
      const w = left[2 * p + 1]!;
      const [q0, q1, q2, q3] = [right[at]!, right[at + 1]!, right[at + 2]!, right[at + 3]!];
      s0 += v * q0;
      s1 += v * q1;
      s2 += v * q2;
      s3 += v * q3;
      t0 += w * q0;
      t1 += w * q1;
      t2 += w * q2;
      t3 += w * q3;
    }
    a[first + j]! -= s0;
    a[first + j + 1]! -= s1;
    a[first + j + 2]! -= s2;
    a[first + j + 3]! -= s3;
    if (second === first) continue;
    a[second + j]! -= t0;
    a[second + j + 1]! -= t1;
    a[second + j + 2]! -= t2;
    a[second + j + 3]! -= t3;
  }
  for (; j < columns; j++) {
    let [s, t] = [0, 0];
    for (let p = 0; p < terms; p++) {
      s += left[2 * p]! * right[p * width + j]!;
      t += left[2 * p + 1]! * right[p * width + j]!;
    }
    a[first + j]! -= s;
    if (second !== first) a[second + j]! -= t;
  }
}

/**
 * Householder's reflection that leaves one value of w[from..to): w becomes its vector.
 * @returns that value, and w^T w / 2 (0: there is nothing to do)
 */
function reflection(w: Float64Array, from: number, to: number): readonly [alpha: number, beta: number] {
  let largest = 0;
  for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(w[i]!));
  if (largest === 0) return [0, 0];
  let sum = 0;
  for (let i = from; i < to; i++) sum += (w[i]! / largest) ** 2;
  const norm = largest * Math.sqrt(sum);
  const alpha = w[from]! > 0 ? -norm : norm;
  w[from]! -= alpha;
  // Where squares are no numbers any more, so is the rest of it.
  const beta = -alpha * w[from]!;
  return beta > 0 ? [alpha, beta] : [alpha, 0];
}

function axpy(y: Float64Array, factor: number, x: Float64Array, from: number, to: number): void {
  if (factor === 0) return;
  for (let i = from; i < to; i++) y[i]! += factor * x[i]!;
}

function dot(x: Float64Array, y: Float64Array, from: number, to: number): number {
  let [s, t] = [0, 0];
  let i = from;
  for (; i + 1 < to; i += 2) {
    s += x[i]! * y[i]!;
    t += x[i + 1]! * y[i + 1]!;
  }
  return i < to ? s + t + x[i]! * y[i]! : s + t;
}

type Range = readonly [from: number, to: number];

/** out += A^T v over these rows and columns. */
function timesRows(
  a: Float64Array,
  n: number,
  v: Float64Array,
  out: Float64Array,
  [i0, i1]: Range,
  [j0, j1]: Range,
): void {
  let i = i0;
  for (; i + 3 < i1; i += 4) {
    const [v0, v1, v2, v3] = [v[i]!, v[i + 1]!, v[i + 2]!, v[i + 3]!];
    const r0 = i * n;
    const [r1, r2, r3] = [r0 + n, r0 + 2 * n, r0 + 3 * n];
    for (let j = j0; j < j1; j++) out[j]! += v0 * a[r0 + j]! + v1 * a[r1 + j]! + v2 * a[r2 + j]! + v3 * a[r3 + j]!;
  }
  for (; i < i1; i++) for (let j = j0, vi = v[i]!; j < j1; j++) out[j]! += vi * a[i * n + j]!;
}

/** out = A u over these rows and columns. */
function timesColumns(
  a: Float64Array,
  n: number,
  u: Float64Array,
  out: Float64Array,
  [i0, i1]: Range,
  [j0, j1]: Range,
): void {
  let i = i0;
  for (; i + 3 < i1; i += 4) {
    const r0 = i * n;
    const [r1, r2, r3] = [r0 + n, r0 + 2 * n, r0 + 3 * n];
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let j = j0; j < j1; j++) {
      const w = u[j]!;
      s0 += w * a[r0 + j]!;
      s1 += w * a[r1 + j]!;
      s2 += w * a[r2 + j]!;
      s3 += w * a[r3 + j]!;
    }
    out[i] = s0;
    out[i + 1] = s1;
    out[i + 2] = s2;
    out[i + 3] = s3;
  }
  for (; i < i1; i++) {
    let sum = 0;
    for (let j = j0; j < j1; j++) sum += u[j]! * a[i * n + j]!;
    out[i] = sum;
  }
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
