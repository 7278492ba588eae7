import { type Case, grid1d, type Kernel } from "../../src/gpu/contract.js";
import { addressable, finiteNumber, positiveInteger } from "./check.js";
import { summing, summingSize } from "./entry.js";
import { lanesOf } from "./lanes.js";
import text from "./weight-rows.wgsl.js";

/** Of an MPConv's weight [rows, fanIn] that a training normalises. */
export interface WeightRows {
  readonly rows: number;
  readonly fanIn: number;
  /** Whether a gain [1] is multiplied on. */
  readonly gained: boolean;
  /** Of every row, beside 1 / sqrt(fanIn). */
  readonly factor: number;
}

const SINGLES = "alias V = f32;\nfn added(v: V) -> f32 { return v; }\n";
const QUADS = "alias V = vec4f;\nfn added(v: V) -> f32 { return (v.x + v.y) + (v.z + v.w); }\n";

type Shared = Pick<Kernel<WeightRows>, "name" | "source" | "check" | "variant" | "uniforms" | "grid">;

/** What the kernels over such rows share: a workgroup a row, with `pair_sum`s of `type`. */
export function weightRows(name: string, source: string, type: "f32" | "vec2f"): Shared {
  return {
    name,
    source: [
      ...summing(undefined, type),
      { file: "kernels/lib/weight-rows.wgsl", text },
      { file: `kernels/network/${name}/kernel.wgsl`, text: source },
    ],
    check({ rows, fanIn, factor }) {
      positiveInteger(name, "rows", rows);
      positiveInteger(name, "fanIn", fanIn);
      finiteNumber(name, "factor", factor);
      addressable(name, "w", rows, fanIn);
    },
    variant({ gained, fanIn }, caps) {
      const { size, prelude } = summingSize(caps);
      const lanes = lanesOf(fanIn);
      const whole = lanes === 4 ? QUADS : SINGLES;
      return {
        key: `${size}-lanes${lanes}${gained ? "-gained" : ""}`,
        prelude: `${prelude}${whole}const GAINED: bool = ${gained};`,
      };
    },
    uniforms: ({ rows, fanIn, factor }) => ({
      workgroups: rows,
      fan_in: fanIn,
      units: fanIn / lanesOf(fanIn),
      scale: factor / Math.sqrt(fanIn),
    }),
    grid: ({ rows }, _variant, caps) => grid1d(rows, 1, caps),
  };
}

/** Cases that all of them have. */
export const ROW_CASES: readonly Case<WeightRows>[] = [
  { name: "fewer entries than invocations", params: { rows: 19, fanIn: 5, gained: false, factor: 1 } },
  {
    name: "zero and tiny rows",
    params: { rows: 6, fanIn: 27, gained: false, factor: 1 },
    inputs: (buffer, length, random) =>
      buffer === "w"
        ? Float32Array.from({ length }, (_, i) => random() * (i < 54 ? 0 : i < 108 ? 1e-4 : 1))
        : undefined,
  },
  { name: "a layer of 3x3", params: { rows: 128, fanIn: 1152, gained: false, factor: 1 } },
];
