import type { Inputs } from "../../../src/gpu/contract.js";
import { type AttentionBackwardParams, normsOf } from "../../lib/attention-backward.js";

export type { AttentionBackwardParams };

export function reference(params: AttentionBackwardParams, inputs: Inputs) {
  return { norms: normsOf(params, inputs) };
}
