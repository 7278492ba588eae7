import type { Inputs } from "../../../src/gpu/contract.js";

export interface RenoiseParams {
  readonly batch: number;
  /** Values per image. */
  readonly elements: number;
}

export function reference({ batch, elements }: RenoiseParams, inputs: Inputs) {
  const { x0, xi, eps } = inputs;
  const [level, next, zeta] = Array.from(inputs.level!) as [number, number, number];
  const xNext = new Float64Array(batch * elements);
  for (let i = 0; i < xNext.length; i++) {
    const old = (xi![i]! - x0![i]!) / level;
    xNext[i] = x0![i]! + next * (Math.sqrt(zeta) * eps![i]! + Math.sqrt(1 - zeta) * old);
  }
  return { xNext };
}
