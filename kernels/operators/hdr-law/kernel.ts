import { read, write } from "../../lib/buffers.js";
import { uniformOf } from "../../lib/cases.js";
import { positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { normalLawParts } from "../../lib/normal-law.js";
import source from "./kernel.wgsl.js";
import { type HdrLawParams, reference } from "./reference.js";

/** A draw of the posterior of a clipped measurement by quantiles; level = [s, rho]. */
export const hdrLaw = elementwise<HdrLawParams>({
  name: "hdr-law",
  group: "operators",
  source,
  parts: normalLawParts,
  counts: ({ batch, elements }) => ({ batch, elements }),
  check({ scale }) {
    positiveNumber("hdr-law", "scale", scale);
  },
  buffers: (_, n) => [read("x", n), read("measured", n), read("z", n), read("level", 2), write("y", n)],
  flops: (_, n) => 900 * n,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1, scale: 2 }, inputs: at(0.05, 1) },
    { name: "odd, wide prior", params: { batch: 3, elements: 131, scale: 2 }, inputs: at(0.05, 80) },
    { name: "a prior as wide as the picture", params: { batch: 2, elements: 500, scale: 3 }, inputs: at(0.05, 0.5) },
    { name: "narrow prior far outside", params: { batch: 1, elements: 700, scale: 2 }, inputs: at(0.02, 0.003) },
    { name: "an image", params: { batch: 2, elements: 3 * 32 * 32, scale: 2 }, inputs: at(0.007, 1) },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});

function at(s: number, rho: number) {
  return (name: string, length: number, random: () => number): Float32Array | undefined => {
    if (name === "level") return Float32Array.of(s, rho);
    // Some draws far in the tails.
    if (name === "z") return Float32Array.from({ length }, (_, i) => (i % 7 === 0 ? 2 : 1) * random());
    if (name === "x") return Float32Array.from({ length }, () => (2 * uniformOf(random) - 1) * (1 + 2 * rho));
    if (name !== "measured") return undefined;
    return Float32Array.from(
      { length },
      () => Math.max(-1, Math.min(1, 4 * uniformOf(random) - 2)) + s * (2 * uniformOf(random) - 1),
    );
  };
}
