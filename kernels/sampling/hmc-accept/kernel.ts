import { update, write } from "../../lib/buffers.js";
import exp from "../../lib/exp.wgsl.js";
import { freeBox } from "../../lib/free-box.js";
import { EXTRA, hmcCase } from "../../lib/hmc.js";
import { hmcDrawn } from "../../lib/hmc-drawn.js";
import { uniformParts } from "../../lib/uniform-at.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

const one = { runs: 1, particles: 1, dims: 1, free: 1, scale: 100, moves: 1, transition: 0 };
const some = { runs: 3, particles: 23, dims: 4, free: 3, scale: 204, moves: 2, transition: 1 };

/** The last half step of momentum of a Hamiltonian transition, its gain, and whether it is accepted. */
export const hmcAccept = hmcDrawn({
  name: "hmc-accept",
  source,
  parts: [...uniformParts, { file: "kernels/lib/exp.wgsl", text: exp }, freeBox],
  drawn: (_, rows) => rows,
  written: ({ free }, rows) => [update("m", rows * (free + EXTRA)), write("taken", rows, "u32")],
  flops: ({ free, recorded }, rows) => (recorded ? 20 : 140) * rows + 6 * free * rows,
  reference,
  cases: [
    hmcCase("one particle, recorded", { ...one, recorded: true }, [-100, 100]),
    hmcCase("one particle, drawn", { ...one, recorded: false }, [-100, 100]),
    hmcCase("some observed, recorded", { ...some, recorded: true }),
    hmcCase("some observed, drawn", { ...some, recorded: false }),
    hmcCase("many runs", { ...some, runs: 9, particles: 512, dims: 2, free: 1, recorded: false }),
    // Where none leaves the box, no gain of -3e38 outweighs the others' errors.
    hmcCase("a wide box", { ...some, particles: 64, recorded: false }, [-100, 100]),
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
