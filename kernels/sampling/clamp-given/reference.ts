import type { Inputs } from "../../../src/gpu/contract.js";
import { PURPOSE, uniformAt } from "../../lib/uniform-at.js";

export interface ClampGivenParams {
  readonly runs: number;
  /** Of one run. */
  readonly particles: number;
  readonly dims: number;
  /** Unobserved coordinates. */
  readonly free: number;
  /** The unobserved coordinates are given in u. */
  readonly recorded: boolean;
}

export function reference({ runs, particles, dims, free, recorded }: ClampGivenParams, inputs: Inputs) {
  const { values, indices, low, high, seeds, u } = inputs;
  const x = new Float64Array(runs * particles * dims);
  for (let row = 0; row < runs * particles; row++) {
    const run = Math.floor(row / particles);
    for (let d = 0; d < dims; d++) x[row * dims + d] = values![run * dims + d]!;
    for (let j = 0; j < free; j++) {
      const v = recorded ? 0 : uniformAt(seeds![run]!, 0, PURPOSE.start, (row % particles) * free + j);
      x[row * dims + indices![j]!] = recorded ? u![row * free + j]! : low![j]! + (high![j]! - low![j]!) * v;
    }
  }
  return { x };
}
