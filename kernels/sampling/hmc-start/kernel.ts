import { write } from "../../lib/buffers.js";
import { EXTRA, hmcCase } from "../../lib/hmc.js";
import { hmcDrawn } from "../../lib/hmc-drawn.js";
import { noiseParts } from "../../lib/philox.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

const one = { runs: 1, particles: 1, dims: 1, free: 1, scale: 100, moves: 1, transition: 0 };
const some = { runs: 3, particles: 13, dims: 7, free: 5, scale: 204, moves: 4, transition: 2 };

/** Momenta, and the first half step of momentum and the first step of position, of a Hamiltonian transition. */
export const hmcStart = hmcDrawn({
  name: "hmc-start",
  source,
  parts: [...noiseParts],
  drawn: ({ free }, rows) => rows * free,
  written: ({ dims, free }, rows) => [write("proposal", rows * dims), write("m", rows * (free + EXTRA))],
  flops: ({ free, recorded }, rows) => (recorded ? 7 : 47) * free * rows,
  reference,
  cases: [
    hmcCase("one particle, recorded", { ...one, recorded: true }),
    hmcCase("one particle, drawn", { ...one, recorded: false }),
    hmcCase("some observed, recorded", { ...some, recorded: true }),
    hmcCase("some observed, drawn", { ...some, recorded: false }),
    hmcCase("many runs", { ...some, runs: 9, particles: 512, dims: 2, free: 1, recorded: false }),
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
