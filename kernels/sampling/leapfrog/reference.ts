import type { Inputs } from "../../../src/gpu/contract.js";
import { inside, unpackBox } from "../../lib/free-box.js";
import { EXTRA, type HmcParams } from "../../lib/hmc.js";
import { STATE, STATE_LENGTH } from "../../lib/run-state.js";

export function reference({ runs, particles, dims, free, scale }: HmcParams, inputs: Inputs) {
  const { o, box, state } = inputs;
  const walls = unpackBox(box!);
  const [x, m] = [Float64Array.from(inputs.x!), Float64Array.from(inputs.m!)];
  for (let row = 0; row < runs * particles; row++) {
    const s = Math.floor(row / particles) * STATE_LENGTH;
    const [eps, beta] = [state![s + STATE.step]!, state![s + STATE.beta]!];
    const within = inside(inputs.x!, row * dims, walls);
    walls.indices.forEach((d, j) => {
      const own = row * (free + EXTRA) + j;
      if (within) m[own]! += eps * beta * scale * o![row * dims + d]!;
      x[row * dims + d]! += eps * m[own]!;
    });
  }
  return { x, m };
}
