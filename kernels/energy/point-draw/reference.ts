import type { Inputs } from "../../../src/gpu/contract.js";
import { gaussians, philox4x32 } from "../../lib/philox.js";

export interface PointDrawParams {
  readonly rows: number;
  readonly dims: number;
  /** Points of the data set. */
  readonly points: number;
  /** The first rows that are uniform in the box instead of noisy data. */
  readonly inside: number;
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly levels: number;
  /** The rows' weight is sigma to this power, 0, -1 or -2; that of uniform rows, sigmaMax to it. */
  readonly power: number;
  /** Also write -eps, what the diffusion counterpart learns. */
  readonly diffusion: boolean;
  readonly seed: number;
}

/**
 * How far the lattice of uniform points goes from row to row, for up to four coordinates, as parts of 2^32: powers of 1/g, with g the
 * root of g^(dims + 1) = g + 1 (Roberts 2018, "The unreasonable effectiveness of quasirandom sequences"). Zeros beyond: too many
 * coordinates for a lattice of few points.
 */
export function strides(dims: number): readonly [number, number, number, number] {
  if (dims > 4) return [0, 0, 0, 0];
  let g = 1.5;
  for (let i = 0; i < 60; i++) g = (1 + g) ** (1 / (dims + 1));
  return [1, 2, 3, 4].map((power) => Math.round(2 ** 32 * g ** -power)) as [number, number, number, number];
}

export function reference(params: PointDrawParams, { data, labels, box, step }: Inputs) {
  const { rows, dims, points, inside, sigmaMin, sigmaMax, levels, power, diffusion, seed } = params;
  const [x, own, goal] = [0, 1, 2].map(() => new Float64Array(rows * dims)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const weight = new Float64Array(rows);
  const quads = Math.ceil(dims / 4);
  const steps = strides(dims);
  const shift = philox4x32([0, step![0]!, 0, 5], [seed, 0]);
  for (let row = 0; row < rows; row++) {
    const word = (quad: number) => philox4x32([row, step![0]!, quad, 3], [seed, 0]);
    const source = Math.floor((word(quads)[0] * points) / 2 ** 32);
    const free = row < inside;
    const sigma = free ? sigmaMax : sigmaMax * (sigmaMin / sigmaMax) ** (labels![row]! / (levels - 1));
    weight[row] = sigma ** power;
    for (let d = 0; d < dims; d++) {
      const at = row * dims + d;
      const value = data![source * dims + d]!;
      own[at] = value;
      if (free) {
        const lattice = (Math.imul(row, steps[d & 3]!) + shift[d & 3]!) >>> 0;
        const share = ((dims > 4 ? word(d >> 2)[d & 3]! : lattice) >>> 8) / 2 ** 24;
        x[at] = box![d]! + share * (box![dims + d]! - box![d]!);
        continue;
      }
      const eps = gaussians(word(d >> 2))[d & 3]!;
      x[at] = value + sigma * eps;
      goal[at] = -eps;
    }
  }
  return { x, own, weight, ...(diffusion ? { goal } : {}) };
}
