import type { Inputs } from "../../../src/gpu/contract.js";

export interface AdamParams {
  /** Values of the bank, a multiple of 4. */
  readonly elements: number;
}

/** One update; gradients that are not finite count as 0. */
export function reference({ elements }: AdamParams, inputs: Inputs) {
  const [rate, root, beta1, rest1, beta2, rest2, eps] = Array.from(inputs.settings!) as [number, ...number[]];
  const [w, m, v] = [inputs.w!, inputs.m!, inputs.v!].map((values) => Float64Array.from(values));
  let broken = inputs.zeroed![0]! + 2 ** 32 * inputs.zeroed![1]!;
  for (let i = 0; i < elements; i++) {
    const g = Number.isFinite(inputs.g![i]) ? inputs.g![i]! : 0;
    if (g !== inputs.g![i]) broken++;
    m![i] = beta1! * m![i]! + rest1! * g;
    v![i] = beta2! * v![i]! + rest2! * g * g;
    w![i]! -= (rate * m![i]!) / (Math.sqrt(v![i]!) * root! + eps!);
  }
  const zeroed = Float64Array.of(broken % 2 ** 32, Math.floor(broken / 2 ** 32));
  return { w: w!, m: m!, v: v!, zeroed };
}
