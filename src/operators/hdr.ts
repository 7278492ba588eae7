import { hdrLaw } from "../../kernels/operators/hdr-law/kernel.js";
import { pointMeasure } from "../../kernels/operators/point-measure/kernel.js";
import { checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkPositive, checkShape, volume } from "./check.js";
import { lawOf, normalPiece } from "./laws.js";
import { type LawOperator, lawsOf, pointwiseOperator } from "./pointwise.js";
import type { StageGraph } from "./stage-graph.js";

export interface HdrOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** Exposure: values beyond 1 / scale are clipped; default 2. */
  readonly scale?: number;
}

/**
 * High dynamic range: y = clip(scale x, -1, 1) + noise, of the shape of the image. Not linear, but the posterior of every entry is
 * known: three pieces of normal laws. `sampleProximal` draws it exactly, as the quantile at `uniforms`, or at the normal
 * distribution function of `noise`; noise of zeros gives the median. The energy's gradient vanishes where it is clipped.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function hdr(gpu: Gpu, options: HdrOptions): LawOperator {
  checkKeys("hdr", options, { shape: true, scale: true });
  const shape = checkShape("hdr", options.shape);
  const scale = checkPositive("hdr", "scale", options.scale ?? 2);
  const [channels, height, width] = shape;
  const measure = (s: StageGraph, gradient: boolean) => {
    const params = { batch: s.batch * channels, height, width, law: "clip", scale, offset: 0, gradient } as const;
    const inputs = { x: s.input("x"), measured: gradient ? s.input("y") : undefined };
    return s.graph.run("clip", pointMeasure, params, inputs, { y: s.out([s.batch, ...shape]) }).y;
  };
  return pointwiseOperator(gpu, {
    name: "hdr",
    shape,
    measurementShape: shape,
    forward: (s) => measure(s, false),
    gradient: (s) => measure(s, true),
    // Where nothing is clipped.
    curvature: 2 * scale * scale,
    proximal(s) {
      const inputs = { x: s.input("x"), measured: s.input("y"), z: s.input("z"), level: s.input("level") };
      const params = { batch: s.batch, elements: volume(shape), scale };
      return s.graph.run("draw", hdrLaw, params, inputs, { y: s.out([s.batch, ...shape]) }).y;
    },
    hasCdf: true,
    lawOf: ({ x, y, sigma, rho, at }) =>
      lawsOf(x.length, at, (i, where) => {
        const [centre, measured] = [x[i]!, y[i]!];
        const edge = 1 / scale;
        const log = (v: number) =>
          -(((measured - Math.max(-1, Math.min(1, scale * v))) / sigma) ** 2) / 2 - ((v - centre) / rho) ** 2 / 2;
        const gain = (scale * rho) / sigma;
        const mu = centre + ((edge * gain * gain) / (1 + gain * gain)) * (measured - scale * centre);
        const pieces = [
          normalPiece(centre, rho, -Infinity, -edge, log),
          normalPiece(mu, rho / Math.sqrt(1 + gain * gain), -edge, edge, log),
          normalPiece(centre, rho, edge, Infinity, log),
        ];
        return lawOf(pieces, where);
      }),
  });
}
