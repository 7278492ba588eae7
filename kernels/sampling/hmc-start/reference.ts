import type { Inputs } from "../../../src/gpu/contract.js";
import { unpackBox, valuesOf } from "../../lib/free-box.js";
import { type DrawnParams, EXTRA } from "../../lib/hmc.js";
import { normals } from "../../lib/philox.js";
import { STATE, STATE_LENGTH } from "../../lib/run-state.js";

export function reference(params: DrawnParams, { x, phi, o, box, state, draws }: Inputs) {
  const { runs, particles, dims, free, scale, moves, transition, recorded } = params;
  const { indices } = unpackBox(box!);
  const proposal = Float64Array.from(x!);
  const m = new Float64Array(runs * particles * (free + EXTRA));
  for (let run = 0; run < runs; run++) {
    const of = (name: keyof typeof STATE) => state![run * STATE_LENGTH + STATE[name]]!;
    const own = recorded
      ? valuesOf(draws!).subarray(run * particles * free)
      : normals(draws![run]!, of("count") * moves + transition, particles * free);
    for (let i = 0; i < particles; i++) {
      const row = run * particles + i;
      const its = m.subarray(row * (free + EXTRA));
      indices.forEach((d, j) => {
        const start = own[i * free + j]!;
        its[free]! += start ** 2 / 2;
        its[j] = start + 0.5 * of("step") * of("beta") * scale * o![row * dims + d]!;
        proposal[row * dims + d]! += of("step") * its[j];
      });
      its[free + 1] = phi![row]!;
    }
  }
  return { proposal, m };
}
