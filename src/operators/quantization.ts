import { cellLaw } from "../../kernels/operators/cell-law/kernel.js";
import { pointMeasure } from "../../kernels/operators/point-measure/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkInteger, checkShape } from "./check.js";
import { cellLawOf } from "./laws.js";
import { type LawOperator, lawsOf, pointwiseOperator } from "./pointwise.js";

export interface QuantizationOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** Bits per value, 1 to 16: 2^bits levels from -1 to 1. */
  readonly bits: number;
}

/**
 * Few bits: y is x + sigma n (noise before rounding; sigma may be 0 or absent) rounded to the nearest of 2^bits levels, the
 * outer ones holding all beyond. The posterior of every entry is a truncated normal law, drawn exactly as its quantile; with
 * sigma a second standard normal draw (`noiseY`, shaped like x) takes part. Noise of zeros gives the median.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function quantization(gpu: Gpu, options: QuantizationOptions): LawOperator {
  checkKeys("quantization", options, { shape: true, bits: true });
  const shape = checkShape("quantization", options.shape);
  const bits = checkInteger("quantization", "bits", options.bits, 1);
  if (bits > 16) throw bad(`quantization: bits must be at most 16, got ${bits}.`);
  const levels = 2 ** bits - 1;
  const [channels, height, width] = shape;
  return pointwiseOperator(gpu, {
    name: "quantization",
    shape,
    measurementShape: shape,
    noiseShape: shape,
    forward(s) {
      const size = { batch: s.batch * channels, height, width };
      const params = { ...size, law: "round", scale: levels, offset: 0, gradient: false } as const;
      return s.graph.run("round", pointMeasure, params, { x: s.input("x") }, { y: s.out([s.batch, ...shape]) }).y;
    },
    proximal(s) {
      const inputs = {
        x: s.input("x"),
        measured: s.input("y"),
        z: s.input("z"),
        z2: s.input("zy"),
        level: s.input("level"),
      };
      const params = { batch: s.batch * channels, height, width, levels };
      return s.graph.run("draw", cellLaw, params, inputs, { y: s.out([s.batch, ...shape]) }).y;
    },
    withoutNoise: true,
    lawOf: ({ x, y, sigma, rho }) =>
      lawsOf(x.length, undefined, (i) => {
        const level = Math.min(levels, Math.max(0, Math.floor(((y[i]! + 1) / 2) * levels + 0.5)));
        const low = level === 0 ? -Infinity : (2 * level - 1) / levels - 1;
        const high = level === levels ? Infinity : (2 * level + 1) / levels - 1;
        return cellLawOf(x[i]!, sigma, rho, low, high);
      }),
  });
}
