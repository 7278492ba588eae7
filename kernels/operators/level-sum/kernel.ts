import { read, write } from "../../lib/buffers.js";
import { finiteNumber, oneOf } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type LevelSumParams, reference } from "./reference.js";

/** y = a + factor level b + other c, the level being sigma or rho. */
export const levelSum = elementwise<LevelSumParams>({
  name: "level-sum",
  group: "operators",
  source,
  counts: ({ elements }) => ({ elements }),
  check({ level, factor, other }) {
    oneOf("level-sum", "level", level, ["sigma", "rho"]);
    finiteNumber("level-sum", "factor", factor);
    finiteNumber("level-sum", "other", other);
  },
  buffers: ({ other }, n) => [
    read("a", n),
    read("b", n),
    read("c", other === 0 ? 0 : n),
    read("level", 2),
    write("y", n),
  ],
  uniforms: ({ level }) => ({ index: level === "sigma" ? 0 : 1 }),
  flags: ({ other }) => ({ THIRD: other !== 0 }),
  flops: ({ other }, n) => (other === 0 ? 3 : 5) * n,
  reference,
  cases: [
    { name: "one value", params: { elements: 1, level: "rho", factor: 1, other: 0 }, inputs },
    { name: "odd length", params: { elements: 131, level: "sigma", factor: -1, other: -1 }, inputs },
    { name: "two images", params: { elements: 2 * 3 * 64 * 64, level: "rho", factor: 1, other: 1 }, inputs },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

function inputs(name: string): Float32Array | undefined {
  return name === "level" ? Float32Array.of(0.05, 80) : undefined;
}
