import type { Inputs } from "../../../src/gpu/contract.js";
import { valuesOf } from "../../lib/free-box.js";
import { STATE, STATE_LENGTH } from "../../lib/run-state.js";
import { PURPOSE, uniformAt } from "../../lib/uniform-at.js";

export interface SystematicParams {
  readonly runs: number;
  /** Of one run. */
  readonly particles: number;
  /** `draws` holds the bits of the uniform values, not the seeds. */
  readonly recorded: boolean;
}

export function reference({ runs, particles, recorded }: SystematicParams, { sums_of, state, draws }: Inputs) {
  const ancestors = new Float64Array(runs * particles);
  for (let run = 0; run < runs; run++) {
    const of = (name: keyof typeof STATE) => state![run * STATE_LENGTH + STATE[name]]!;
    const v = recorded ? valuesOf(draws!)[run]! : uniformAt(draws![run]!, of("count"), PURPOSE.resample, 0);
    let j = 0;
    for (let i = 0; i < particles; i++) {
      const threshold = ((i + v) * of("total")) / particles;
      while (j < particles - 1 && sums_of![run * particles + j]! < threshold) j++;
      ancestors[run * particles + i] = of("done") !== 0 ? i : j;
    }
  }
  return { ancestors };
}
