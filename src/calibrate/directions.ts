import { eigenSymmetric } from "../priors/linear-algebra.js";
import { type KnownProblem, matrixOf } from "./problem.js";

/** An orthogonal basis of images, the right singular vectors of A, told apart by what the measurement says of them. */
export interface Directions {
  /** dims x dims, a direction per row. */
  readonly basis: Float64Array;
  /** Per direction: singular value above sigma_y / (the prior's deviation). */
  readonly measured: readonly boolean[];
}

/** Undefined for operators that aren't linear, or too large. */
export async function directionsOf({ operator, sigmaY, deviation }: KnownProblem): Promise<Directions | undefined> {
  const rows = await matrixOf(operator);
  if (!rows) return undefined;
  const dims = rows[0]!.length;
  const gram = new Float64Array(dims * dims);
  for (const row of rows)
    for (let i = 0; i < dims; i++)
      if (row[i] !== 0) for (let j = 0; j < dims; j++) gram[i * dims + j]! += row[i]! * row[j]!;
  const { values, vectors } = eigenSymmetric(gram, dims);
  const basis = Float64Array.from(vectors, (_, at) => vectors[(at % dims) * dims + Math.floor(at / dims)]!);
  return { basis, measured: Array.from(values, (l) => Math.sqrt(l) > sigmaY / deviation) };
}

/** Rows of images in some of the directions. */
export function projected(
  images: ArrayLike<number>,
  { basis, measured }: Directions,
  wanted: boolean,
): { values: Float64Array; coordinates: number } {
  const dims = measured.length;
  const chosen = measured.flatMap((is, d) => (is === wanted ? [d] : []));
  const count = images.length / dims;
  const values = new Float64Array(count * chosen.length);
  for (let n = 0; n < count; n++)
    chosen.forEach((d, c) => {
      let sum = 0;
      for (let i = 0; i < dims; i++) sum += basis[d * dims + i]! * images[n * dims + i]!;
      values[n * chosen.length + c] = sum;
    });
  return { values, coordinates: chosen.length };
}
