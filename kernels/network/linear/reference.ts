import type { Inputs } from "../../../src/gpu/contract.js";

export interface LinearParams {
  readonly batch: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** y = x w^T + 1 instead of x w^T. */
  readonly addOne: boolean;
  /** The weight is f32 in every precision. */
  readonly full?: boolean;
}

export function reference({ batch, inFeatures, outFeatures, addOne }: LinearParams, inputs: Inputs) {
  const { x, w } = inputs;
  const stride = Math.ceil(inFeatures / 4) * 4;
  const y = new Float64Array(batch * outFeatures);
  for (let n = 0; n < batch; n++) {
    for (let m = 0; m < outFeatures; m++) {
      let sum = addOne ? 1 : 0;
      for (let k = 0; k < inFeatures; k++) sum += x![n * inFeatures + k]! * w![m * stride + k]!;
      y[n * outFeatures + m] = sum;
    }
  }
  return { y };
}
