import type { Inputs } from "../../../src/gpu/contract.js";

export interface AdamParams {
  /** Values of the bank, a multiple of 4. */
  readonly elements: number;
  /** Averages that are made with it, at most 2 (0). */
  readonly averages?: number;
}

export interface AdamSettings {
  readonly lr: number;
  /** Updates so far, this one included: 1, 2, … */
  readonly step: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
  /** Of each average: 1 - beta. */
  readonly rests?: readonly number[];
}

/** The kernel's `settings` of an update, in double precision; defaults are EDM2's. */
export function adamSettings({
  lr,
  step,
  beta1 = 0.9,
  beta2 = 0.99,
  eps = 1e-8,
  rests = [],
}: AdamSettings): Float64Array {
  const root = 1 / Math.sqrt(1 - beta2 ** step);
  return Float64Array.of(lr / (1 - beta1 ** step), root, beta1, 1 - beta1, beta2, 1 - beta2, eps, ...rests);
}

/** One update; gradients that are not finite count as 0. */
export function reference({ elements, averages = 0 }: AdamParams, inputs: Inputs) {
  const [rate, root, beta1, rest1, beta2, rest2, eps, ...rests] = Array.from(inputs.settings!) as [number, ...number[]];
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
  const made = ["first_average", "second_average"].slice(0, averages).map((name, i) => {
    const old = inputs[name]!;
    return [name, Float64Array.from(w!, (value, at) => old[at]! + rests[i]! * (value - old[at]!))] as const;
  });
  return { w: w!, m: m!, v: v!, zeroed, ...Object.fromEntries(made) };
}
