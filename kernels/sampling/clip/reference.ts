import type { Inputs } from "../../../src/gpu/contract.js";

export interface ClipParams {
  /** Values in all. */
  readonly elements: number;
}

export function reference({ elements }: ClipParams, { x }: Inputs) {
  const cut = (v: number) => (Number.isFinite(v) ? Math.min(1, Math.max(-1, v)) : v);
  return { y: Float64Array.from({ length: elements }, (_, i) => cut(x![i]!)) };
}
