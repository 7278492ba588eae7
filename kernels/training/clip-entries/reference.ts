import type { Inputs } from "../../../src/gpu/contract.js";

export interface ClipEntriesParams {
  /** Values of the bank. */
  readonly elements: number;
  /** Entries that are clipped. */
  readonly count: number;
}

export function reference({ count }: ClipEntriesParams, { indices, w }: Inputs) {
  const values = Float64Array.from(w!);
  for (let i = 0; i < count; i++) values[indices![i]!] = Math.min(Math.max(values[indices![i]!]!, 0), 1);
  return { w: values };
}
