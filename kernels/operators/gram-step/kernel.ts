import { read, write } from "../../lib/buffers.js";
import { positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type GramStepParams, reference } from "./reference.js";

/** What stands between the maps of a likelihood step with A A' = c I; level = [s, rho]. */
export const gramStep = elementwise<GramStepParams>({
  name: "gram-step",
  group: "operators",
  source,
  counts: ({ elements }) => ({ elements }),
  check: ({ eigenvalue }) => positiveNumber("gram-step", "eigenvalue", eigenvalue),
  buffers: (_, n) => [read("a", n), read("b", n), read("level", 2), write("y", n)],
  flags: ({ inner }) => ({ INNER: inner }),
  flops: ({ inner }, n) => (inner ? 3 : 2) * n,
  reference,
  cases: [
    { name: "one value", params: { elements: 1, eigenvalue: 1, inner: true }, inputs: level(0.05, 80) },
    { name: "small eigenvalue", params: { elements: 131, eigenvalue: 1 / 256, inner: true }, inputs: level(0.1, 0.5) },
    { name: "narrow prior", params: { elements: 65, eigenvalue: 1, inner: false }, inputs: level(0.02, 0.003) },
    {
      name: "two images",
      params: { elements: 2 * 3 * 64 * 64, eigenvalue: 0.25, inner: false },
      inputs: level(0.05, 80),
    },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

function level(s: number, rho: number) {
  return (name: string): Float32Array | undefined => (name === "level" ? Float32Array.of(s, rho) : undefined);
}
