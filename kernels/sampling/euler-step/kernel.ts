import { read, write } from "../../lib/buffers.js";
import { solverCase, solverCases } from "../../lib/cases.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type EulerStepParams, reference } from "./reference.js";

/**
 * Euler step of the second-order sampler (Karras et al. 2022, Algorithm 2): from xHat at level t and the network's
 * output to the slope d and to x at the next level. level = [t, next, guidance, churn scale], t > 0.
 */
export const eulerStep = elementwise<EulerStepParams>({
  name: "euler-step",
  group: "sampling",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers: ({ guided }, n) => [
    read("xHat", n),
    read("dMain", n),
    read("dRef", guided ? n : 0),
    read("level", 4),
    write("x", n),
    write("d", n),
  ],
  flags: ({ guided }) => ({ GUIDED: guided }),
  flops: ({ guided }, n) => (guided ? 7 : 4) * n,
  reference,
  cases: [...solverCases, solverCase("last step of an image", [1, 3 * 32 * 32, false], [0.002, 0, 1])],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
