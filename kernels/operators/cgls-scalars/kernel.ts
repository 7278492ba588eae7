import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update, write } from "../../lib/buffers.js";
import { nonNegativeInteger, oneOf, positiveInteger, positiveNumber } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type CglsScalarsParams, reference } from "./reference.js";

const PARTS = ["start", "curvature", "gradient"] as const;

/** Step lengths, directions' ratios and the stopping rule of conjugate gradients, per image. All f32. */
export const cglsScalars: Kernel<CglsScalarsParams> = {
  name: "cgls-scalars",
  source: [...summing(), { file: "kernels/operators/cgls-scalars/kernel.wgsl", text: source }],
  check({ images, part, count, others, limit }) {
    positiveInteger("cgls-scalars", "images", images);
    oneOf("cgls-scalars", "part", part, PARTS);
    positiveInteger("cgls-scalars", "count", count);
    nonNegativeInteger("cgls-scalars", "others", others);
    positiveNumber("cgls-scalars", "limit", limit);
  },
  buffers: ({ images, part, count, others }) => [
    read("first", images * count),
    read("second", images * others),
    read("level", 2),
    (part === "start" ? write : update)("state", 16 * images),
  ],
  variant({ part }, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: `${size} ${part}`, prelude: `${prelude}const PART: i32 = ${PARTS.indexOf(part)};` };
  },
  uniforms: ({ images, count, others, limit }) => ({ workgroups: images, count, others, limit }),
  grid: ({ images }, _variant, caps) => grid1d(images, 1, caps),
  cost: ({ images, count, others }) => ({
    flops: images * (count + 2 * others + 20),
    bytes: 4 * images * (count + others + 32),
  }),
  reference,
  cases: [
    at("one value", { images: 1, part: "start", count: 1, others: 0, limit: 1e-4 }),
    at("nothing to do", { images: 2, part: "start", count: 3, others: 0, limit: 1e-4 }, 0),
    at("step lengths", { images: 5, part: "curvature", count: 77, others: 131, limit: 1e-4 }),
    at("goes on, and finished", { images: 3, part: "gradient", count: 77, others: 0, limit: 1e-4 }),
    at("stops", { images: 3, part: "gradient", count: 192, others: 0, limit: 1e9 }),
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};

/** Image 1 is finished already; the others have done 13 steps. */
function at(name: string, params: CglsScalarsParams, factor = 1): Case<CglsScalarsParams> {
  const inputs = (buffer: string, length: number, random: () => number): Float32Array | undefined => {
    if (buffer === "level") return Float32Array.of(0.05, 0.5);
    if (buffer !== "state") return Float32Array.from({ length }, () => factor * random() ** 2);
    const state = Float32Array.from({ length }, () => 0.1 + random() ** 2);
    for (let i = 0; i < length; i += 16) state.set([0.7, 0.2, 0.5, i === 16 ? 1 : 0, 13], i);
    return state;
  };
  return { name, params, inputs };
}
