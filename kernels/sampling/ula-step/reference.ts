import type { Inputs } from "../../../src/gpu/contract.js";
import { normals } from "../../lib/philox.js";

export interface UlaStepParams {
  /** Images, each with a seed of its own. */
  readonly batch: number;
  /** Values per image. */
  readonly elements: number;
  /** The noise is given in z, not made from (seed, draw). */
  readonly recorded: boolean;
}

export function reference(
  { batch, elements, recorded }: UlaStepParams,
  { x, origin, gradient, level, z, seeds, draw }: Inputs,
) {
  const [eta, beta, variance, deviation] = [level![0]!, level![1]!, level![2]!, level![3]!];
  const result = new Float64Array(batch * elements);
  for (let n = 0; n < batch; n++) {
    const own = recorded ? undefined : normals(seeds![n]!, draw![0]!, elements);
    for (let e = 0; e < elements; e++) {
      const i = n * elements + e;
      const slope = gradient![i]! / beta + (x![i]! - origin![i]!) / variance;
      result[i] = x![i]! - eta * slope + deviation * (own ? own[e]! : z![i]!);
    }
  }
  return recorded ? { x: result } : { x: result, nextDraw: Float64Array.of(draw![0]! + 1) };
}
