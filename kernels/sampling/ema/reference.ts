import type { Inputs } from "../../../src/gpu/contract.js";

export interface EmaParams {
  /** Values in all. */
  readonly elements: number;
}

export function reference({ elements }: EmaParams, { x, decay, average }: Inputs) {
  const mu = decay![0]!;
  const values = Float64Array.from({ length: elements }, (_, i) =>
    mu === 0 ? x![i]! : mu * average![i]! + (1 - mu) * x![i]!,
  );
  return { average: values };
}
