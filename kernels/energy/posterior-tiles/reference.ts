import type { Inputs } from "../../../src/gpu/contract.js";

export interface PosteriorTilesParams {
  readonly rows: number;
  readonly dims: number;
  /** Data, in tiles of `TILE` neighbours. */
  readonly keys: number;
  /** sigma(0), the standard deviation of the smoothing. */
  readonly sigma: number;
}

/** The tiles only say where not to look. */
export function reference({ rows, dims, keys, sigma }: PosteriorTilesParams, { x, data }: Inputs) {
  const goal = new Float64Array(rows * dims);
  for (let row = 0; row < rows; row++) {
    const squares = Float64Array.from({ length: keys }, (_, j) => {
      let square = 0;
      for (let d = 0; d < dims; d++) square += (x![row * dims + d]! - data![j * dims + d]!) ** 2;
      return square;
    });
    const nearest = squares.reduce((a, b) => Math.min(a, b));
    const weights = squares.map((square) => Math.exp((nearest - square) / (2 * sigma ** 2)));
    const total = weights.reduce((a, b) => a + b);
    for (let d = 0; d < dims; d++) {
      let sum = 0;
      for (let j = 0; j < keys; j++) sum += weights[j]! * (data![j * dims + d]! - x![row * dims + d]!);
      goal[row * dims + d] = sum / total;
    }
  }
  return { goal };
}
