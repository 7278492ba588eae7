import type { Inputs } from "../../../src/gpu/contract.js";

export interface HeunStepParams {
  readonly batch: number;
  /** Values per image. */
  readonly elements: number;
  /** D = dRef + guidance (dMain - dRef) instead of D = dMain. */
  readonly guided: boolean;
}

export function reference({ batch, elements, guided }: HeunStepParams, inputs: Inputs) {
  const { xHat, x, d, dMain, dRef } = inputs;
  const [t, next, guidance] = Array.from(inputs.level!) as [number, number, number];
  const out = new Float64Array(batch * elements);
  for (let i = 0; i < out.length; i++) {
    const denoised = guided ? dRef![i]! + guidance * (dMain![i]! - dRef![i]!) : dMain![i]!;
    const slope = (x![i]! - denoised) / next;
    out[i] = xHat![i]! + ((next - t) * (d![i]! + slope)) / 2;
  }
  return { out };
}
