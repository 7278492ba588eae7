import type { Inputs } from "../../../src/gpu/contract.js";

export interface PermuteRowsParams {
  readonly runs: number;
  /** Of one run. */
  readonly particles: number;
  readonly dims: number;
}

export function reference({ runs, particles, dims }: PermuteRowsParams, { ancestors, x, phi, o }: Inputs) {
  const moved = (values: ArrayLike<number>, size: number) =>
    Float64Array.from({ length: runs * particles * size }, (_, i) => {
      const row = Math.floor(i / size);
      const run = Math.floor(row / particles);
      return values[(run * particles + ancestors![row]!) * size + (i % size)]!;
    });
  return { newX: moved(x!, dims), newPhi: moved(phi!, 1), newO: moved(o!, dims) };
}
