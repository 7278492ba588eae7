import type { Inputs } from "../../../src/gpu/contract.js";

export interface KnownPixelsParams {
  /** Values of all images. */
  readonly elements: number;
}

export function reference({ elements }: KnownPixelsParams, { x, known, mask }: Inputs) {
  return { y: Float64Array.from({ length: elements }, (_, i) => (mask![i]! !== 0 ? known![i]! : x![i]!)) };
}
