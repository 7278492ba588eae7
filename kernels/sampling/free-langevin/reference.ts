import type { Inputs } from "../../../src/gpu/contract.js";
import { inside, unpackBox, valuesOf } from "../../lib/free-box.js";
import { normals } from "../../lib/philox.js";

export interface FreeLangevinParams {
  readonly runs: number;
  /** Of one run. */
  readonly particles: number;
  readonly dims: number;
  /** Unobserved coordinates: those that move. */
  readonly free: number;
  /** Steps of the plan. */
  readonly steps: number;
  /** `draws` holds the bits of the noise, not the seeds. */
  readonly recorded: boolean;
}

export function reference(params: FreeLangevinParams, { x, o, box, plan, step, draws }: Inputs) {
  const { runs, particles, dims, free, recorded } = params;
  const walls = unpackBox(box!);
  const [drift, noise] = [plan![2 * step![0]!]!, plan![2 * step![0]! + 1]!];
  const result = Float64Array.from(x!);
  for (let run = 0; run < runs; run++) {
    const z = recorded
      ? valuesOf(draws!).subarray(run * particles * free)
      : normals(draws![run]!, step![0]!, particles * free);
    for (let i = 0; i < particles; i++) {
      const start = (run * particles + i) * dims;
      const row = Float64Array.from({ length: dims }, (_, d) => x![start + d]!);
      walls.indices.forEach((d, j) => {
        row[d]! += drift * o![start + d]! + noise * z[i * free + j]!;
      });
      if (inside(row, 0, walls)) result.set(row, start);
    }
  }
  return { x: result, next: Float64Array.of(step![0]! + 1) };
}
