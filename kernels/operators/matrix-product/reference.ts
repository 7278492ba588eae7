import type { Inputs } from "../../../src/gpu/contract.js";

export interface MatrixProductParams {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
}

export function reference({ rows, inputs, outputs }: MatrixProductParams, { x, m }: Inputs) {
  const y = Float64Array.from({ length: rows * outputs }, (_, i) => {
    const [row, output] = [Math.floor(i / outputs), i % outputs];
    let sum = 0;
    for (let k = 0; k < inputs; k++) sum += m![output * inputs + k]! * x![row * inputs + k]!;
    return sum;
  });
  return { y };
}
