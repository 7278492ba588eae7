import type { Case } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type DdimStepParams, reference } from "./reference.js";

/** out = a d + b x + c z (+ h), coefficients = [a, b, c]: DDIM, ancestral, Euler and Euler-Maruyama steps from an estimate d. */
export const ddimStep = elementwise<DdimStepParams>({
  name: "ddim-step",
  group: "sampling",
  source,
  counts: ({ elements }) => ({ elements }),
  buffers: ({ corrected }, n) => [
    read("d", n),
    read("x", n),
    read("z", n),
    read("h", corrected ? n : 0),
    read("coefficients", 3),
    write("out", n),
  ],
  flags: ({ corrected }) => ({ CORRECTED: corrected }),
  flops: ({ corrected }, n) => (corrected ? 6 : 5) * n,
  reference,
  cases: [
    at("one value, ancestral", { elements: 1, corrected: false }, [0.75, 0.25, 0.43]),
    at("odd length, corrected", { elements: 131, corrected: true }, [0.75, 0.25, 0.43]),
    at("c 0 ignores z", { elements: 65, corrected: false }, [0.3, 0.7, 0], "z"),
    at("last step of an SDE", { elements: 65, corrected: false }, [2, -1, 0], "z"),
    at("two images, re-noised", { elements: 2 * 3 * 32 * 32, corrected: false }, [1, 0, 80]),
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

/** The three scalars of a step; the buffer `huge`, whose weight is 0, is filled with the largest number. */
function at(name: string, params: DdimStepParams, coefficients: number[], huge?: string): Case<DdimStepParams> {
  const inputs = (buffer: string, length: number): Float32Array | undefined => {
    if (buffer === "coefficients") return Float32Array.from(coefficients);
    return buffer === huge ? new Float32Array(length).fill(3.4e38) : undefined;
  };
  return { name, params, inputs };
}
