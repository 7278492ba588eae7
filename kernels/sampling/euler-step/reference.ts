import type { Inputs } from "../../../src/gpu/contract.js";

export interface EulerStepParams {
  readonly batch: number;
  /** Values per image. */
  readonly elements: number;
  /** D = dRef + guidance (dMain - dRef) instead of D = dMain. */
  readonly guided: boolean;
}

export function reference({ batch, elements, guided }: EulerStepParams, inputs: Inputs) {
  const { xHat, dMain, dRef } = inputs;
  const [t, next, guidance] = Array.from(inputs.level!) as [number, number, number];
  const x = new Float64Array(batch * elements);
  const d = new Float64Array(batch * elements);
  for (let i = 0; i < x.length; i++) {
    const denoised = guided ? dRef![i]! + guidance * (dMain![i]! - dRef![i]!) : dMain![i]!;
    d[i] = (xHat![i]! - denoised) / t;
    x[i] = xHat![i]! + (next - t) * d[i]!;
  }
  return { x, d };
}
