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

export function reference(params: PointDrawParams, { data, labels, box, step }: Inputs) {
  const { rows, dims, points, inside, sigmaMin, sigmaMax, levels, power, diffusion, seed } = params;
  const [x, own, goal] = [0, 1, 2].map(() => new Float64Array(rows * dims)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const weight = new Float64Array(rows);
  const quads = Math.ceil(dims / 4);
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
        const share = (word(d >> 2)[d & 3]! >>> 8) / 2 ** 24;
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
