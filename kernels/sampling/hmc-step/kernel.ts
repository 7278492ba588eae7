import type { Case } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type HmcStepParams, reference } from "./reference.js";

/** One step of Hamiltonian dynamics with friction in place; level = [sqrt(e), beta, sigma^2, sqrt(2 (1 - momentum)), momentum]. */
export const hmcStep = elementwise<HmcStepParams>({
  name: "hmc-step",
  group: "sampling",
  source,
  counts: ({ elements }) => ({ elements }),
  buffers: (_, n) => [
    update("x", n),
    update("v", n),
    read("origin", n),
    read("gradient", n),
    read("z", n),
    read("level", 5),
  ],
  flops: (_, n) => 10 * n,
  reference,
  cases: [
    at("one value", 1, [Math.sqrt(5e-4), 1e-3, 0.09, Math.sqrt(1.2), 0.4]),
    at("odd length", 131, [Math.sqrt(5e-4), 1e-3, 0.09, Math.sqrt(1.2), 0.4]),
    at("highest level, no friction", 65, [6.4e-3, 1e-4, 1e4, 0, 1]),
    at("two images", 2 * 3 * 32 * 32, [6.4e-3, 1e-4, 0.01, Math.sqrt(1.98), 0.01]),
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

function at(name: string, elements: number, level: number[]): Case<HmcStepParams> {
  const inputs = (buffer: string) => (buffer === "level" ? Float32Array.from(level) : undefined);
  return { name, params: { elements }, inputs };
}
