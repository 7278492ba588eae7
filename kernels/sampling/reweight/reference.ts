import type { Inputs } from "../../../src/gpu/contract.js";
import { STATE, STATE_LENGTH, TRACE_LENGTH } from "../../lib/run-state.js";
import { runOf, type TemperingParams } from "../../lib/temper.js";

export interface ReweightParams extends TemperingParams {
  /** Step size of the leapfrog at beta = 1; below it is this divided by sqrt(beta), unless `fixed`. */
  readonly kappa: number;
  readonly fixed: boolean;
  /** Largest step size. */
  readonly cap: number;
  /** Temperatures that a run has room for. */
  readonly slots: number;
}

export function reference(params: ReweightParams, inputs: Inputs) {
  const { runs, particles, kappa, fixed, cap, slots } = params;
  const state = Float64Array.from(inputs.state!);
  const sums = Float64Array.from(inputs.sums_of!);
  const trace = Float64Array.from(inputs.trace!);
  for (let run = 0; run < runs; run++) {
    const { of, ell, top } = runOf(params, inputs, run);
    if (of("done") !== 0) continue;
    const delta = of("delta");
    let [total, squares] = [0, 0];
    ell.forEach((v, i) => {
      const w = Math.exp(delta * v);
      total += w;
      squares += w * w;
      sums[run * particles + i] = total;
    });
    const beta = of("last") === 1 ? 1 : of("beta") + delta;
    const step = fixed ? kappa : Math.min(cap, kappa / Math.sqrt(beta));
    const logZ = of("logZ") + Math.log(total / particles) + delta * top;
    for (const [name, value] of Object.entries({ beta, step, total, logZ }))
      state[run * STATE_LENGTH + STATE[name as keyof typeof STATE]] = value;
    trace.set([beta, delta, total ** 2 / squares, step], TRACE_LENGTH * (run * slots + (of("count") % slots)));
  }
  return { state, sums_of: sums, trace };
}
