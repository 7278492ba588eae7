import { read, write } from "../../lib/buffers.js";
import { uniformOf } from "../../lib/cases.js";
import { fail, finiteNumber, positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { normalLawParts } from "../../lib/normal-law.js";
import source from "./kernel.wgsl.js";
import { type PoissonLawParams, reference } from "./reference.js";

/** A draw of the posterior of a count by quantiles; level = [not read, rho]. */
export const poissonLaw = elementwise<PoissonLawParams>({
  name: "poisson-law",
  group: "operators",
  source,
  parts: normalLawParts,
  counts: ({ batch, elements }) => ({ batch, elements }),
  check({ peak, background }) {
    positiveNumber("poisson-law", "peak", peak);
    finiteNumber("poisson-law", "background", background);
    if (background < 0) fail("poisson-law", "background must not be negative", background);
  },
  buffers: (_, n) => [read("x", n), read("measured", n), read("z", n), read("level", 2), write("y", n)],
  flops: (_, n) => 7000 * n,
  reference,
  cases: [
    at("one value", { batch: 1, elements: 1, peak: 10, background: 0 }, 1),
    at("few counts, wide prior", { batch: 3, elements: 27, peak: 10, background: 0 }, 80),
    at("few counts, narrow prior", { batch: 1, elements: 65, peak: 10, background: 0 }, 0.003),
    at("with background", { batch: 2, elements: 33, peak: 1, background: 2 }, 0.3),
    at("many counts", { batch: 1, elements: 131, peak: 2e4, background: 5 }, 0.2),
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});

function at(name: string, params: PoissonLawParams, rho: number) {
  const { peak, background } = params;
  const inputs = (buffer: string, length: number, random: () => number): Float32Array | undefined => {
    if (buffer === "level") return Float32Array.of(0, rho);
    if (buffer === "x") return Float32Array.from({ length }, () => (2 * uniformOf(random) - 1) * (1 + rho));
    if (buffer !== "measured") return undefined;
    return Float32Array.from({ length }, (_, i) =>
      i % 3 === 0 ? 0 : Math.floor((peak + 2 * background + 3) * uniformOf(random)),
    );
  };
  return { name, params, inputs };
}
