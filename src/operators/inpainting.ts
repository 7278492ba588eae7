import { maskFilter } from "../../kernels/operators/mask-filter/kernel.js";
import { maskProximal } from "../../kernels/operators/mask-proximal/kernel.js";
import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { ImageShape } from "../networks/session.js";
import { shuffled } from "../random/uniforms.js";
import { checkInteger, checkShape, volume } from "./check.js";
import { type GpuOperator, gpuOperator } from "./gpu-operator.js";

export interface InpaintingOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** 1 = known, 0 = unknown: H*W values for all channels alike, or C*H*W. */
  readonly mask?: ArrayLike<number>;
  /** The unknown rows `top` to `bottom` - 1 and columns `left` to `right` - 1. */
  readonly box?: readonly [top: number, bottom: number, left: number, right: number] | readonly number[];
  /** Outpainting: only the rows `top` to `bottom` - 1 and columns `left` to `right` - 1 are known. */
  readonly known?: readonly [top: number, bottom: number, left: number, right: number] | readonly number[];
  /** Share of the pixels that are unknown, 0 to 1: exactly round(fraction * H * W) of them, drawn with `seed`. */
  readonly fraction?: number;
  /** For `fraction`; an integer from 0 to 2^32 - 1, default 0. */
  readonly seed?: number;
}

/**
 * Inpainting: A = A' = multiplication with a mask of zeros and ones; the measurement has the shape of the image and is not
 * looked at where the mask is 0. The posterior draw is a closed form per pixel.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function inpainting(gpu: Gpu, options: InpaintingOptions): GpuOperator {
  checkKeys("inpainting", options, { shape: true, mask: true, box: true, known: true, fraction: true, seed: true });
  const shape = checkShape("inpainting", options.shape);
  const mask = maskOf(shape, options);
  const elements = volume(shape);
  return gpuOperator(gpu, {
    name: "inpainting",
    shape,
    measurementShape: shape,
    curvature: 2,
    forward: (s) => filter("x", s),
    adjoint: (s) => filter("y", s),
    proximal(s) {
      const inputs = {
        x: s.input("x"),
        measured: s.input("y"),
        z: s.input("z"),
        mask: s.table("mask", () => mask),
        level: s.input("level"),
      };
      return s.graph.run("draw", maskProximal, { batch: s.batch, elements }, inputs, { y: s.out([s.batch, ...shape]) })
        .y;
    },
    gradient(s) {
      const inputs = { x: s.input("x"), measured: s.input("y"), mask: s.table("mask", () => mask) };
      const params = { batch: s.batch, elements, residual: true };
      return s.graph.run("gradient", maskFilter, params, inputs, { y: s.out([s.batch, ...shape]) }).y;
    },
  });

  function filter(input: "x" | "y", s: Parameters<Parameters<typeof gpuOperator>[1]["forward"]>[0]) {
    const inputs = { x: s.input(input), mask: s.table("mask", () => mask) };
    const params = { batch: s.batch, elements, residual: false };
    return s.graph.run("mask", maskFilter, params, inputs, { y: s.out([s.batch, ...shape]) }).y;
  }
}

/** The mask as C*H*W values. */
function maskOf(shape: ImageShape, { mask, box, known, fraction, seed = 0 }: InpaintingOptions): Float32Array {
  const [channels, height, width] = shape;
  const pixels = height * width;
  const given = [mask, box, known, fraction].filter((v) => v !== undefined).length;
  if (given !== 1) throw bad(`inpainting: give one of mask, box, known and fraction, got ${given} of them.`);
  let plane: Float32Array;
  if (mask !== undefined) {
    if (mask.length !== pixels && mask.length !== channels * pixels) {
      throw bad(
        `inpainting: the mask has ${mask.length} values: ${height} x ${width} = ${pixels} are needed, or ${channels * pixels} for all channels.`,
      );
    }
    for (let i = 0; i < mask.length; i++) {
      if (mask[i] !== 0 && mask[i] !== 1)
        throw bad(`inpainting: the mask holds ${mask[i]} at index ${i}: only 0 (unknown) and 1 (known) are possible.`);
    }
    plane = Float32Array.from(mask);
  } else if (box !== undefined || known !== undefined) {
    const [name, edges] = box === undefined ? ["known", known as readonly number[]] : ["box", box];
    const [top, bottom, left, right] = edges as readonly number[];
    const inside = (from: unknown, to: unknown, size: number) =>
      Number.isInteger(from) &&
      Number.isInteger(to) &&
      0 <= (from as number) &&
      (from as number) < (to as number) &&
      (to as number) <= size;
    if (edges.length !== 4 || !inside(top, bottom, height) || !inside(left, right, width)) {
      throw bad(
        `inpainting: ${name} must be [top, bottom, left, right] inside ${height} x ${width} (bottom and right not included), got [${Array.from(edges)}].`,
      );
    }
    const within = Number(box === undefined);
    plane = Float32Array.from({ length: pixels }, (_, i) => {
      const [row, column] = [Math.floor(i / width), i % width];
      return row >= top! && row < bottom! && column >= left! && column < right! ? within : 1 - within;
    });
  } else {
    if (typeof fraction !== "number" || !(fraction >= 0 && fraction <= 1))
      throw bad(`inpainting: fraction must be from 0 to 1, got ${fraction}.`);
    checkInteger("inpainting", "seed", seed, 0);
    plane = new Float32Array(pixels).fill(1);
    for (const pixel of shuffled(pixels, seed).subarray(0, Math.round(fraction * pixels))) plane[pixel] = 0;
  }
  if (plane.length === channels * pixels) return plane;
  return Float32Array.from({ length: channels * pixels }, (_, i) => plane[i % pixels]!);
}
