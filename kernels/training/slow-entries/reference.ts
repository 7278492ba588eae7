import type { Inputs } from "../../../src/gpu/contract.js";

export interface SlowEntriesParams {
  /** Values of the bank. */
  readonly elements: number;
  /** Entries that learn slowly. */
  readonly count: number;
  /** Their learning rate relative to the others', 0 to 1. */
  readonly share: number;
}

/** Takes back 1 - share of Adam's step. */
export function reference({ count, share }: SlowEntriesParams, inputs: Inputs) {
  const [rate, root, , , , , eps] = Array.from(inputs.settings!) as number[];
  const w = Float64Array.from(inputs.w!);
  for (let i = 0; i < count; i++) {
    const at = inputs.indices![i]!;
    w[at]! += ((1 - share) * rate! * inputs.m![at]!) / (Math.sqrt(inputs.v![at]!) * root! + eps!);
  }
  return { w };
}
