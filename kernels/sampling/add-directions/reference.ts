import type { Inputs } from "../../../src/gpu/contract.js";

export interface AddDirectionsParams {
  /** Images. */
  readonly batch: number;
  /** Values of one image. */
  readonly elements: number;
  /** Directions that are added up. */
  readonly vectors: number;
  /** Values from one direction to the next, at least those of the batch. */
  readonly pitch: number;
  /** Has every image a weight for each of them? */
  readonly weighted: boolean;
}

export function reference({ batch, elements, vectors, pitch, weighted }: AddDirectionsParams, inputs: Inputs) {
  const { d, direction, weight, factor } = inputs;
  const y = Float64Array.from({ length: batch * elements }, (_, i) => {
    const n = Math.floor(i / elements);
    let sum = 0;
    for (let k = 0; k < vectors; k++) sum += (weighted ? weight![n * vectors + k]! : 1) * direction![k * pitch + i]!;
    return d![i]! + factor![0]! * sum;
  });
  return { y };
}
