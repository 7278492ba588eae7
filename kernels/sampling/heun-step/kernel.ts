import { read, write } from "../../lib/buffers.js";
import { solverCase, solverCases } from "../../lib/cases.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type HeunStepParams, reference } from "./reference.js";

/**
 * Second-order correction of an Euler step (Karras et al. 2022, Algorithm 2): x and d are that step's, dMain is the
 * network at x and the next level. level = [t, next, guidance, churn scale], next > 0.
 */
export const heunStep = elementwise<HeunStepParams>({
  name: "heun-step",
  group: "sampling",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers: ({ guided }, n) => [
    read("xHat", n),
    read("x", n),
    read("d", n),
    read("dMain", n),
    read("dRef", guided ? n : 0),
    read("level", 4),
    write("out", n),
  ],
  flags: ({ guided }) => ({ GUIDED: guided }),
  flops: ({ guided }, n) => (guided ? 9 : 6) * n,
  reference,
  cases: [...solverCases, solverCase("an image", [1, 3 * 32 * 32, false], [0.5, 0.3, 1])],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
