import type { Inputs } from "../../../src/gpu/contract.js";
import { STATE, STATE_LENGTH } from "../../lib/run-state.js";
import { runOf, type TemperingParams } from "../../lib/temper.js";

export interface TemperParams extends TemperingParams {
  /** Share of the particles that the effective sample size may fall to. */
  readonly tau: number;
  /** 1, or -1 for the weights exp(-delta ell) of an older library (DISCO's own comparison needs them). */
  readonly sign: 1 | -1;
}

export function reference(params: TemperParams, inputs: Inputs) {
  const { runs, particles, tau, sign } = params;
  const state = Float64Array.from(inputs.state!);
  for (let run = 0; run < runs; run++) {
    const { of, ell } = runOf(params, inputs, run, sign);
    const at = run * STATE_LENGTH;
    const room = 1 - of("beta");
    const enough = (delta: number) => {
      const w = ell.map((v) => Math.exp(sign * delta * v));
      return w.reduce((a, v) => a + v, 0) ** 2 >= tau * particles * w.reduce((a, v) => a + v * v, 0);
    };
    let [low, high] = [0, room];
    for (let k = 0; k < 60; k++) {
      const middle = (low + high) / 2;
      if (enough(middle)) low = middle;
      else high = middle;
    }
    const whole = enough(room);
    if (room <= 0) {
      state[at + STATE.done] = 1;
      state[at + STATE.delta] = 0;
    } else {
      state[at + STATE.delta] = whole ? room : low;
      state[at + STATE.last] = whole ? 1 : 0;
      state[at + STATE.count]! += 1;
    }
  }
  return { state };
}
