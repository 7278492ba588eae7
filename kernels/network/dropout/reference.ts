import type { Inputs } from "../../../src/gpu/contract.js";
import { philox4x32 } from "../../lib/philox.js";

export interface DropoutParams {
  /** Images, each with a key of its own. */
  readonly batch: number;
  /** Values of an image. */
  readonly elements: number;
  /** Number of the generator's draw, and of the layer in its network: each has a mask of its own. */
  readonly draw: number;
  readonly layer: number;
  /** Share of what is dropped, from 0 to less than 1. */
  readonly probability: number;
}

/** Words below it are dropped. */
export function threshold(probability: number): number {
  return Math.floor(probability * 2 ** 32);
}

export function reference({ batch, elements, draw, layer, probability }: DropoutParams, { x, keys }: Inputs) {
  const y = new Float64Array(batch * elements);
  for (let n = 0; n < batch; n++) {
    for (let e = 0; e < elements; e++) {
      const word = philox4x32([Math.floor(e / 4), draw, layer, 0], [keys![n]!, 0])[e % 4]!;
      const i = n * elements + e;
      y[i] = word >= threshold(probability) ? x![i]! / (1 - probability) : 0 * x![i]!;
    }
  }
  return { y };
}
