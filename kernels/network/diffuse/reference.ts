import type { Inputs } from "../../../src/gpu/contract.js";

export interface DiffuseParams {
  readonly batch: number;
  /** Values per image. */
  readonly elements: number;
}

export function reference({ batch, elements }: DiffuseParams, { x, sigma, z }: Inputs) {
  const length = batch * elements;
  return { y: Float64Array.from({ length }, (_, i) => x![i]! + sigma![Math.floor(i / elements)]! * z![i]!) };
}
