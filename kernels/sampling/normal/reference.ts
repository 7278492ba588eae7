import type { Inputs } from "../../../src/gpu/contract.js";
import { normals } from "../../lib/philox.js";

export interface NormalParams {
  /** Images, each with a seed of its own. */
  readonly batch: number;
  /** Values per image. */
  readonly elements: number;
}

export function reference({ batch, elements }: NormalParams, inputs: Inputs) {
  const z = new Float64Array(batch * elements);
  for (let n = 0; n < batch; n++) z.set(normals(inputs.seeds![n]!, inputs.draw![0]!, elements), n * elements);
  return { z };
}
