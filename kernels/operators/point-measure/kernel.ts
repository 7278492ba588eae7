import { read, write } from "../../lib/buffers.js";
import { uniformOf } from "../../lib/cases.js";
import { fail, multipleOf, positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type PointMeasureParams, reference } from "./reference.js";

const LAWS = ["clip", "round", "blocks", "counts"] as const;

/** Measurements of every entry alone: clipping, rounding to levels or to JPEG's steps, expected counts. */
export const pointMeasure = elementwise<PointMeasureParams>({
  name: "point-measure",
  group: "operators",
  source,
  counts: ({ batch, height, width }) => ({ batch, height, width }),
  check({ height, width, law, scale, gradient }) {
    positiveNumber("point-measure", "scale", scale);
    if (gradient && law !== "clip") fail("point-measure", "only clip has a gradient", law);
    if (law !== "blocks") return;
    multipleOf("point-measure", "height", height, 8);
    multipleOf("point-measure", "width", width, 8);
  },
  buffers: ({ law, gradient }, n) => [
    read("x", n),
    read("measured", gradient ? n : 0),
    read("steps", law === "blocks" ? 64 : 0),
    write("y", n),
  ],
  variant({ law, gradient }) {
    const names = LAWS.map((name, i) => `const ${name.toUpperCase()} = ${i}u;`);
    const prelude = [...names, `const LAW = ${law.toUpperCase()};`, `const GRADIENT: bool = ${gradient};`];
    return { key: gradient ? `${law}-gradient` : law, prelude: prelude.join("\n") };
  },
  flops: (_, n) => 6 * n,
  reference,
  cases: [
    at("clip, odd", { batch: 3, height: 7, width: 9, law: "clip", scale: 2, offset: 0, gradient: false }),
    at("gradient of clip", { batch: 2, height: 16, width: 16, law: "clip", scale: 2, offset: 0, gradient: true }),
    at("one bit", { batch: 1, height: 1, width: 5, law: "round", scale: 1, offset: 0, gradient: false }),
    at("ten bits", { batch: 1, height: 31, width: 33, law: "round", scale: 1023, offset: 0, gradient: false }),
    at("blocks", { batch: 2, height: 16, width: 24, law: "blocks", scale: 1, offset: 0, gradient: false }),
    at("counts", { batch: 1, height: 20, width: 13, law: "counts", scale: 30, offset: 2, gradient: false }),
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

/** Values away from where rounding turns over, on which single and double precision may differ. */
function at(name: string, params: PointMeasureParams) {
  const { law, scale } = params;
  const inputs = (buffer: string, length: number, random: () => number): Float32Array | undefined => {
    if (buffer === "steps") return Float32Array.from({ length }, (_, k) => 3 + 2 * k);
    if (buffer !== "x") return undefined;
    const inside = () => Math.floor(scale * uniformOf(random)) + 0.8 * (uniformOf(random) - 0.5);
    if (law === "round") return Float32Array.from({ length }, () => (2 * inside()) / scale - 1);
    if (law === "blocks") return Float32Array.from({ length }, () => 1.5 * random());
    return Float32Array.from({ length }, random);
  };
  return { name, params, inputs };
}
