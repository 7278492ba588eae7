import type { Inputs } from "../../../src/gpu/contract.js";

export interface PowerEmaParams {
  /** Values of the bank, a multiple of 4. */
  readonly elements: number;
  /** Averages that share `rests`, and which of them this one is. */
  readonly profiles: number;
  readonly profile: number;
}

export function reference({ elements, profile }: PowerEmaParams, { w, rests, average }: Inputs) {
  const rest = rests![profile]!;
  const values = Float64Array.from({ length: elements }, (_, i) =>
    rest === 1 ? w![i]! : average![i]! + rest * (w![i]! - average![i]!),
  );
  return { average: values };
}
