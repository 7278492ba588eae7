import type { Inputs } from "../../../src/gpu/contract.js";

export interface GatherFreeParams {
  readonly rows: number;
  readonly dims: number;
  /** Unobserved coordinates. */
  readonly free: number;
}

export function reference({ rows, dims, free }: GatherFreeParams, { x, indices }: Inputs) {
  const y = Float64Array.from(
    { length: rows * free },
    (_, i) => x![Math.floor(i / free) * dims + indices![i % free]!]!,
  );
  return { y };
}
