/** What a run of a particle sampler carries on the GPU; kernels/lib/run-state.wgsl has the same list. */
import type { SourcePart } from "../../src/gpu/contract.js";
import text from "./run-state.wgsl.js";

/** Places of the numbers of a run. */
export const STATE = { beta: 0, delta: 1, logZ: 2, step: 3, total: 4, count: 5, done: 6, last: 7 } as const;

/** Numbers of a run. */
export const STATE_LENGTH = 8;

/** Numbers that a run notes down for each temperature: beta after it, its increment, the effective sample size, the step size. */
export const TRACE_LENGTH = 4;

export const runState: SourcePart = { file: "kernels/lib/run-state.wgsl", text };

/** States of runs as tests want them: `some` replaces what differs. */
export function testStates(runs: number, some: (run: number) => Partial<Record<keyof typeof STATE, number>>) {
  const all = new Float32Array(runs * STATE_LENGTH);
  for (let run = 0; run < runs; run++) {
    for (const [name, value] of Object.entries({ beta: 0.25, step: 0.1, ...some(run) }))
      all[run * STATE_LENGTH + STATE[name as keyof typeof STATE]] = value;
  }
  return all;
}
