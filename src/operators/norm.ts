/**
 * The largest singular value of a matrix, outputs x inputs row by row, by power iteration in float64: from below, and to some
 * thousandths where several are close to it.
 */
export function largestSingularValue(matrix: ArrayLike<number>, inputs: number): number {
  const outputs = matrix.length / inputs;
  let v = Float64Array.from({ length: inputs }, (_, i) => 1 + 0.5 * Math.sin(i));
  let square = 0;
  for (let k = 0; k < STEPS; k++) {
    const next = new Float64Array(inputs);
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += matrix[o * inputs + i]! * v[i]!;
      for (let i = 0; i < inputs; i++) next[i]! += matrix[o * inputs + i]! * sum;
    }
    square = Math.sqrt(next.reduce((sum, value) => sum + value * value, 0));
    if (!(square > 0)) return 0;
    v = next.map((value) => value / square);
  }
  return Math.sqrt(square);
}

const STEPS = 40;
