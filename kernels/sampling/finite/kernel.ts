import type { Case } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type FiniteParams, reference } from "./reference.js";

/** What the host writes into `first` before the first step: nothing found yet. */
const NEVER = 0xffffffff;

/** x (f32 [N, elements]), step (u32 [1]): first (u32 [N], updated) = the smallest step with a NaN or Inf in x[n]. */
export const finite = elementwise<FiniteParams>({
  name: "finite",
  group: "sampling",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers: ({ batch }, n) => [read("x", n), read("step", 1, "u32"), update("first", batch, "u32")],
  uniforms: ({ elements }) => ({ size: elements }),
  flops: () => 0,
  reference,
  cases: [
    at("clean", { batch: 3, elements: 517 }, 4, [], [NEVER, NEVER, NEVER]),
    at("one NaN element", { batch: 1, elements: 1 }, 0, [[0, Number.NaN]], [NEVER]),
    at(
      "NaN, infinities and the largest finite number",
      { batch: 5, elements: 131 },
      7,
      [
        [0, Number.NaN], // first element of image 0
        [2 * 131 - 1, Number.POSITIVE_INFINITY], // last of image 1
        [2 * 131 + 64, 3.4028234663852886e38], // image 2 stays clean
        [3 * 131 + 1, Number.NEGATIVE_INFINITY], // image 3: several
        [3 * 131 + 2, Number.NaN],
      ],
      [NEVER, NEVER, NEVER, NEVER, NEVER],
    ),
    // Image 0 failed earlier and keeps its step, image 1 failed later and gets the smaller one.
    at(
      "earlier and later steps",
      { batch: 3, elements: 40 },
      5,
      [
        [3, Number.NaN],
        [44, Number.NEGATIVE_INFINITY],
      ],
      [2, 9, 3],
    ),
    // More workgroups than one dimension holds by default (65,535 of 64 threads).
    at(
      "grid folded into two dimensions",
      { batch: 2, elements: 65_536 * 32 + 33 },
      1,
      [[2 * (65_536 * 32 + 33) - 1, Number.NaN]],
      [NEVER, NEVER],
    ),
  ],
  tolerance: { f32: 0, f16: 0 },
});

function at(
  name: string,
  params: FiniteParams,
  step: number,
  bad: readonly (readonly [number, number])[],
  first: readonly number[],
): Case<FiniteParams> {
  return {
    name,
    params,
    inputs: (buffer, length) => {
      if (buffer === "step") return Uint32Array.of(step);
      if (buffer === "first") return Uint32Array.from(first);
      const x = Float32Array.from({ length }, (_, i) => (i % 17) - 8);
      for (const [index, value] of bad) x[index] = value;
      return x;
    },
  };
}
