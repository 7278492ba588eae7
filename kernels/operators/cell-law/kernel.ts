import { read, write } from "../../lib/buffers.js";
import { uniformOf } from "../../lib/cases.js";
import { multipleOf, nonNegativeInteger } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { normalLawParts } from "../../lib/normal-law.js";
import source from "./kernel.wgsl.js";
import { type CellLawParams, reference } from "./reference.js";

/** A draw of the posterior of a rounded measurement by quantiles; level = [s, rho]. */
export const cellLaw = elementwise<CellLawParams>({
  name: "cell-law",
  group: "operators",
  source,
  parts: normalLawParts,
  counts: ({ batch, height, width }) => ({ batch, height, width }),
  check({ height, width, levels }) {
    nonNegativeInteger("cell-law", "levels", levels);
    if (levels !== 0) return;
    multipleOf("cell-law", "height", height, 8);
    multipleOf("cell-law", "width", width, 8);
  },
  buffers: ({ levels }, n) => [
    read("x", n),
    read("measured", n),
    read("z", n),
    read("z2", n),
    read("level", 2),
    read("steps", levels === 0 ? 64 : 0),
    write("y", n),
  ],
  flags: ({ levels }) => ({ BLOCKS: levels === 0 }),
  flops: (_, n) => 400 * n,
  reference,
  cases: [
    at("one bit, one value", { batch: 1, height: 1, width: 1, levels: 1 }, 0.1, 80),
    at("two bits without noise", { batch: 2, height: 7, width: 9, levels: 3 }, 0, 0.1),
    at("two bits, narrow prior", { batch: 1, height: 20, width: 21, levels: 3 }, 0.02, 0.003),
    at("sixteen bits, wide prior", { batch: 1, height: 17, width: 17, levels: 65535 }, 0, 80),
    at("blocks", { batch: 2, height: 32, width: 64, levels: 0 }, 0.01, 0.5),
    at("blocks, narrow prior", { batch: 1, height: 8, width: 16, levels: 0 }, 0, 0.003),
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

function at(name: string, params: CellLawParams, s: number, rho: number) {
  const { levels } = params;
  const inputs = (buffer: string, length: number, random: () => number): Float32Array | undefined => {
    if (buffer === "level") return Float32Array.of(s, rho);
    if (buffer === "steps") return Float32Array.from({ length }, (_, k) => 3 + 2 * k);
    if (buffer === "x") return Float32Array.from({ length }, () => (2 * uniformOf(random) - 1) * (1 + rho));
    if (buffer !== "measured") return undefined;
    if (levels === 0) return Float32Array.from({ length }, () => Math.floor(9 * uniformOf(random)) - 4);
    return Float32Array.from({ length }, () => (2 * Math.floor((levels + 1) * uniformOf(random))) / levels - 1);
  };
  return { name, params, inputs };
}
