import type { Inputs } from "../../../src/gpu/contract.js";
import { inside, unpackBox, valuesOf } from "../../lib/free-box.js";
import { type DrawnParams, EXTRA } from "../../lib/hmc.js";
import { STATE, STATE_LENGTH } from "../../lib/run-state.js";
import { PURPOSE, uniformAt } from "../../lib/uniform-at.js";

export function reference(params: DrawnParams, inputs: Inputs) {
  const { runs, particles, dims, free, scale, moves, transition, recorded } = params;
  const { x, phi, o, box, state, draws } = inputs;
  const walls = unpackBox(box!);
  const m = Float64Array.from(inputs.m!);
  const taken = new Float64Array(runs * particles);
  for (let row = 0; row < runs * particles; row++) {
    const run = Math.floor(row / particles);
    const of = (name: keyof typeof STATE) => state![run * STATE_LENGTH + STATE[name]]!;
    const own = m.subarray(row * (free + EXTRA));
    let energy = 0;
    walls.indices.forEach((d, j) => {
      own[j]! += 0.5 * of("step") * of("beta") * scale * o![row * dims + d]!;
      energy += own[j]! ** 2 / 2;
    });
    const gain = of("beta") * scale * (phi![row]! - own[free + 1]!) - (energy - own[free]!);
    const possible = inside(x!, row * dims, walls) && Number.isFinite(gain);
    const draw = of("count") * moves + transition;
    const v = recorded ? valuesOf(draws!)[row]! : uniformAt(draws![run]!, draw, PURPOSE.accept, row % particles);
    own[free] = possible ? gain : -3e38;
    taken[row] = possible && of("done") === 0 && v < Math.exp(Math.min(0, gain)) ? 1 : 0;
  }
  return { m, taken };
}
