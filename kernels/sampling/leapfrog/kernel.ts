import { read, update } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { freeBox } from "../../lib/free-box.js";
import { checkHmc, EXTRA, type HmcParams, hmcCase, hmcCounts, rowsOf } from "../../lib/hmc.js";
import { runState, STATE_LENGTH } from "../../lib/run-state.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** A step of the leapfrog in place: momentum by the gradient at x, x by the momentum. */
export const leapfrog = elementwise<HmcParams>({
  name: "leapfrog",
  group: "sampling",
  source,
  parts: [runState, freeBox],
  counts: hmcCounts,
  check: (params) => checkHmc("leapfrog", params),
  threads: rowsOf,
  buffers: ({ runs, dims, free }, rows) => [
    update("x", rows * dims),
    read("o", rows * dims),
    read("box", 3 * free, "u32"),
    read("state", runs * STATE_LENGTH),
    update("m", rows * (free + EXTRA)),
  ],
  flops: ({ free }, rows) => 4 * free * rows,
  reference,
  cases: [
    hmcCase("one particle", { runs: 1, particles: 1, dims: 1, free: 1, scale: 100 }),
    hmcCase("some observed, some outside", { runs: 3, particles: 23, dims: 4, free: 3, scale: 204 }),
    hmcCase("many runs", { runs: 9, particles: 512, dims: 10, free: 2, scale: 100 }),
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
});
