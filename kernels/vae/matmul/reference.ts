import type { Inputs } from "../../../src/gpu/contract.js";

export interface MatmulParams {
  /** Products, each of matrices of its own. */
  readonly images: number;
  /** Rows of y; m, k and n are multiples of 4. */
  readonly m: number;
  /** Columns of op(a), rows of b. */
  readonly k: number;
  /** Columns of y. */
  readonly n: number;
  /** a is stored as [K, M]. */
  readonly transposed: boolean;
  readonly scale: number;
}

export function reference({ images, m, k, n, transposed, scale }: MatmulParams, { a, b }: Inputs) {
  const y = new Float64Array(images * m * n);
  for (let image = 0; image < images; image++) {
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0;
        for (let i = 0; i < k; i++) {
          const at = image * m * k + (transposed ? i * m + row : row * k + i);
          sum += a![at]! * b![(image * k + i) * n + column]!;
        }
        y[(image * m + row) * n + column] = scale * sum;
      }
    }
  }
  return { y };
}
