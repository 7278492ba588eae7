import type { Inputs } from "../../../src/gpu/contract.js";

export interface KrylovStepParams {
  /** Images. */
  readonly batch: number;
  /** Of one image's measurement. */
  readonly entries: number;
  /** Steps of the whole solution; `step` 0 takes in the right-hand side, `iterations` is the last. */
  readonly iterations: number;
  readonly step: number;
}

export function reference({ batch, entries, iterations, step }: KrylovStepParams, inputs: Inputs) {
  const { y, ax, level } = inputs;
  const basis = Float64Array.from(inputs.basis!);
  const h = Float64Array.from(inputs.h!);
  const v = new Float64Array(batch * entries);
  const side = iterations + 1;
  for (let n = 0; n < batch; n++) {
    const vector = (j: number) => basis.subarray((n * side + j) * entries, (n * side + j + 1) * entries);
    const column = h.subarray((n * side + step) * side);
    const q = vector(step);
    for (let i = 0; i < entries; i++) {
      const given = ax![n * entries + i]!;
      q[i] = step === 0 ? y![n * entries + i]! - given : level![0]! * vector(step - 1)[i]! + level![1]! * given;
    }
    for (let j = 0; j < step; j++) {
      const known = vector(j);
      const share = known.reduce((sum, value, i) => sum + value * q[i]!, 0);
      for (let i = 0; i < entries; i++) q[i]! -= share * known[i]!;
      column[j] = share;
    }
    const norm = Math.sqrt(q.reduce((sum, value) => sum + value * value, 0));
    column[step] = norm;
    for (let i = 0; i < entries; i++) q[i] = norm === 0 ? 0 : q[i]! / norm;
    v.set(q, n * entries);
  }
  return { basis, h, v };
}
