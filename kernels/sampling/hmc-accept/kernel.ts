import { read, update, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import exp from "../../lib/exp.wgsl.js";
import { freeBox } from "../../lib/free-box.js";
import { checkHmc, type DrawnParams, EXTRA, hmcCase, hmcCounts, rowsOf } from "../../lib/hmc.js";
import { runState, STATE_LENGTH } from "../../lib/run-state.js";
import { uniformParts } from "../../lib/uniform-at.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

const one = { runs: 1, particles: 1, dims: 1, free: 1, scale: 100, moves: 1, transition: 0 };
const some = { runs: 3, particles: 23, dims: 4, free: 3, scale: 204, moves: 2, transition: 1 };

/** The last half step of momentum of a Hamiltonian transition, its gain, and whether it is accepted. */
export const hmcAccept = elementwise<DrawnParams>({
  name: "hmc-accept",
  group: "sampling",
  source,
  parts: [runState, ...uniformParts, { file: "kernels/lib/exp.wgsl", text: exp }, freeBox],
  counts: (params) => ({ ...hmcCounts(params), moves: params.moves }),
  check: (params) => checkHmc("hmc-accept", params),
  threads: rowsOf,
  buffers: ({ runs, dims, free, recorded }, rows) => [
    read("x", rows * dims),
    read("phi", rows),
    read("o", rows * dims),
    read("box", 3 * free, "u32"),
    read("state", runs * STATE_LENGTH),
    read("draws", recorded ? rows : runs, "u32"),
    update("m", rows * (free + EXTRA)),
    write("taken", rows, "u32"),
  ],
  flags: ({ recorded }) => ({ RECORDED: recorded }),
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
