/** Small dense linear algebra in float64, rows of arrays. */
export type Vector = Float64Array;
export type Matrix = Float64Array[];

export function multiply(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => Float64Array.from(b[0]!, (_, j) => row.reduce((sum, v, k) => sum + v * b[k]![j]!, 0)));
}

export function apply(a: Matrix, x: ArrayLike<number>): Vector {
  return Float64Array.from(a, (row) => row.reduce((sum, v, k) => sum + v * x[k]!, 0));
}

export function transpose(a: Matrix): Matrix {
  return Array.from(a[0]!, (_, j) => Float64Array.from(a, (row) => row[j]!));
}

/** a + factor b */
export function add(a: Matrix, b: Matrix, factor = 1): Matrix {
  return a.map((row, i) => row.map((v, j) => v + factor * b[i]![j]!));
}

export function diagonal(values: Vector): Matrix {
  return Array.from(values, (v, i) => Float64Array.from(values, (_, j) => (i === j ? v : 0)));
}

export function identity(size: number): Matrix {
  return diagonal(new Float64Array(size).fill(1));
}

export function scaled(a: Matrix, factor: number): Matrix {
  return a.map((row) => row.map((v) => factor * v));
}

/** Gauss and Jordan, with the largest pivot of the column. */
export function inverse(a: Matrix): Matrix {
  const size = a.length;
  const rows = a.map((row, i) =>
    Float64Array.from({ length: 2 * size }, (_, j) => (j < size ? row[j]! : j - size === i ? 1 : 0)),
  );
  for (let k = 0; k < size; k++) {
    let pivot = k;
    for (let i = k; i < size; i++) if (Math.abs(rows[i]![k]!) > Math.abs(rows[pivot]![k]!)) pivot = i;
    [rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!];
    const divisor = rows[k]![k]!;
    rows[k] = rows[k]!.map((v) => v / divisor);
    for (let i = 0; i < size; i++) {
      if (i === k) continue;
      const factor = rows[i]![k]!;
      rows[i] = rows[i]!.map((v, j) => v - factor * rows[k]![j]!);
    }
  }
  return rows.map((row) => row.slice(size));
}
