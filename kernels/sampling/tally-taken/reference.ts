import type { Inputs } from "../../../src/gpu/contract.js";
import { STATE, STATE_LENGTH } from "../../lib/run-state.js";

export interface TallyTakenParams {
  readonly runs: number;
  /** Of one run. */
  readonly particles: number;
  /** Temperatures that a run has room for. */
  readonly slots: number;
  /** The first transition of the temperature. */
  readonly first: boolean;
}

export function reference({ runs, particles, slots, first }: TallyTakenParams, { taken, state, tally }: Inputs) {
  const result = Float64Array.from(tally!);
  for (let run = 0; run < runs; run++) {
    if (state![run * STATE_LENGTH + STATE.done] !== 0) continue;
    const at = run * slots + (state![run * STATE_LENGTH + STATE.count]! % slots);
    if (first) result[at] = 0;
    for (let i = 0; i < particles; i++) result[at]! += taken![run * particles + i]!;
  }
  return { tally: result };
}
