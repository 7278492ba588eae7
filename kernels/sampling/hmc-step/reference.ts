import type { Inputs } from "../../../src/gpu/contract.js";

export interface HmcStepParams {
  /** Values in all. */
  readonly elements: number;
}

export function reference({ elements }: HmcStepParams, { x, v, origin, gradient, z, level }: Inputs) {
  const [root, beta, variance, deviation, momentum] = Array.from(level!) as [number, number, number, number, number];
  const state = new Float64Array(elements);
  const velocity = new Float64Array(elements);
  for (let i = 0; i < elements; i++) {
    const slope = gradient![i]! / beta + (x![i]! - origin![i]!) / variance;
    velocity[i] = momentum * v![i]! - root * slope + deviation * z![i]!;
    state[i] = x![i]! + root * velocity[i]!;
  }
  return { x: state, v: velocity };
}
