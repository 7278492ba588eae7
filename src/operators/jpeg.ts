import { blockDct } from "../../kernels/operators/block-dct/kernel.js";
import { cellLaw } from "../../kernels/operators/cell-law/kernel.js";
import { pointMeasure } from "../../kernels/operators/point-measure/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Tensor } from "../graph/graph.js";
import { checkInteger, checkShape } from "./check.js";
import { cellLawOf } from "./laws.js";
import { type LawOperator, lawsOf, pointwiseOperator } from "./pointwise.js";
import type { StageGraph } from "./stage-graph.js";

export interface JpegOptions {
  /** 1, H, W of one image; H and W must be multiples of 8. */
  readonly shape: readonly number[];
  /** As encoders have it, 1 to 100; 50 is the standard's own table. */
  readonly quality: number;
}

/** Luminance steps of ITU-T T.81, annex K.1. */
const STANDARD = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
  87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
];

/** The DCT matrix, D[k, i] = c[k] cos((2 i + 1) k pi / 16), row by row. */
const DCT = Float64Array.from({ length: 64 }, (_, at) => {
  const [k, i] = [Math.floor(at / 8), at % 8];
  return (k === 0 ? Math.sqrt(1 / 8) : 1 / 2) * Math.cos(((2 * i + 1) * k * Math.PI) / 16);
});

/**
 * Grey JPEG: y holds the integers that a file of this quality stores, floor(coefficient / step + 1/2) of the 8 x 8 DCT, block by
 * block in place, [1, H, W]. Coefficients have normal priors of the same width, so that the posterior of each is a truncated
 * normal law, drawn exactly as its quantile (sigma, noise before rounding, may be 0 or absent; with it `noiseY`, shaped like the
 * picture, takes part). `law` speaks of coefficients in units of the picture. Noise of zeros gives their medians.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function jpeg(gpu: Gpu, options: JpegOptions): LawOperator {
  checkKeys("jpeg", options, { shape: true, quality: true });
  const shape = checkShape("jpeg", options.shape);
  const [channels, height, width] = shape;
  if (channels !== 1) throw bad(`jpeg: only grey pictures are possible, shape [1, H, W], got [${shape}].`);
  if (height % 8 !== 0 || width % 8 !== 0)
    throw bad(`jpeg: ${height} x ${width} is no multiple of 8 on both sides, the size of the blocks.`);
  const quality = checkInteger("jpeg", "quality", options.quality, 1);
  if (quality > 100) throw bad(`jpeg: quality must be at most 100, got ${quality}.`);
  const percent = quality < 50 ? Math.floor(5000 / quality) : 200 - 2 * quality;
  const steps = STANDARD.map((base) => Math.min(255, Math.max(1, Math.floor((base * percent + 50) / 100))));

  const dct = (s: StageGraph, name: string, x: Tensor, inverse: boolean, to?: Tensor) => {
    const inputs = { x, table: s.table("dct", () => Float32Array.from(DCT)) };
    const params = { planes: s.batch, height, width, inverse };
    return s.graph.run(name, blockDct, params, inputs, { y: to ?? [s.batch, ...shape] }).y;
  };
  const table = (s: StageGraph) => s.table("steps", () => Float32Array.from(steps));
  return pointwiseOperator(gpu, {
    name: "jpeg",
    shape,
    measurementShape: shape,
    noiseShape: shape,
    forward(s) {
      const inputs = { x: dct(s, "dct", s.input("x"), false), steps: table(s) };
      const size = { batch: s.batch, height, width };
      const params = { ...size, law: "blocks", scale: 1, offset: 0, gradient: false } as const;
      return s.graph.run("round", pointMeasure, params, inputs, { y: s.out([s.batch, ...shape]) }).y;
    },
    proximal(s) {
      const inputs = {
        x: dct(s, "dct of x", s.input("x"), false),
        measured: s.input("y"),
        z: s.input("z"),
        z2: dct(s, "dct of zy", s.input("zy"), false),
        level: s.input("level"),
        steps: table(s),
      };
      const params = { batch: s.batch, height, width, levels: 0 };
      const drawn = s.graph.run("draw", cellLaw, params, inputs, { y: [s.batch, ...shape] }).y;
      return dct(s, "inverse dct", drawn, true, s.out([s.batch, ...shape]));
    },
    withoutNoise: true,
    toPixels: (mean) => Float32Array.from(blocks(mean, width, true)),
    lawOf({ x, y, sigma, rho }) {
      const coefficients = blocks(x, width, false);
      return lawsOf(x.length, undefined, (i) => {
        const place = (Math.floor(i / width) % 8) * 8 + ((i % width) % 8);
        const edge = (half: number) => (steps[place]! * (y[i]! + half) + (place === 0 ? 4 : 0)) / 127.5;
        return cellLawOf(coefficients[i]!, sigma, rho, edge(-0.5), edge(0.5));
      });
    },
  });
}

/** The DCT of every block, in place, or its inverse; rows of `width` values. */
function blocks(x: ArrayLike<number>, width: number, inverse: boolean): Float64Array {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at++) {
    const [row, column] = [Math.floor(at / width), at % width];
    const corner = at - (row % 8) * width - (column % 8);
    const d = (k: number, i: number) => (inverse ? DCT[i * 8 + k]! : DCT[k * 8 + i]!);
    for (let a = 0; a < 8; a++)
      for (let b = 0; b < 8; b++) y[at]! += d(row % 8, a) * x[corner + a * width + b]! * d(column % 8, b);
  }
  return y;
}
