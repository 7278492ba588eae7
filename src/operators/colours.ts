import { bad, checkKeys } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { checkFinite, checkShape } from "./check.js";
import type { GpuOperator } from "./gpu-operator.js";
import { alongAxis, selection } from "./line-maps.js";
import { linearOperator } from "./linear-operator.js";
import { adjointOf } from "./resize.js";

export interface ColorizationOptions {
  /** C, H, W of one image. */
  readonly shape: readonly number[];
  /** One per channel; default for three channels: 1/3 each. */
  readonly weights?: ArrayLike<number>;
}

/**
 * Colorization: the measurement [1, H, W] is a weighted sum of the channels. A A' = (sum of squared weights) I, so that the
 * likelihood step is one draw in closed form.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function colorization(gpu: Gpu, options: ColorizationOptions): GpuOperator {
  checkKeys("colorization", options, { shape: true, weights: true });
  const shape = checkShape("colorization", options.shape);
  const [channels, height, width] = shape;
  if (options.weights === undefined && channels !== 3)
    throw bad(`colorization: weights are needed for ${channels} channels: their default is for three.`);
  const weights = Float32Array.from(options.weights ?? [1 / 3, 1 / 3, 1 / 3]);
  if (weights.length !== channels)
    throw bad(`colorization: there are ${weights.length} weights for ${channels} channels: give one for each.`);
  checkFinite("colorization", "weights", weights);
  const gram = weights.reduce((sum, w) => sum + w * w, 0);
  if (!(gram > 0)) throw bad("colorization: all weights are 0: at least one must not be.");
  const positions = Uint32Array.from(weights, (_, c) => c);
  const mix = { inputs: channels, outputs: 1, taps: channels, weights: Float64Array.from(weights), positions };
  const spread = adjointOf(mix);
  const inner = height * width;
  return linearOperator(gpu, {
    name: "colorization",
    shape,
    measurementShape: [1, height, width],
    gram,
    forward: (s, x, to) => alongAxis(s, "mix", x, mix, { inner, to }),
    adjoint: (s, y, to) => alongAxis(s, "spread", y, spread, { inner, to }),
  });
}

const PATTERNS = ["RGGB", "BGGR", "GRBG", "GBRG"] as const;

export interface DemosaicingOptions {
  /** 3, H, W of one image. */
  readonly shape: readonly number[];
  /** Colours of the upper left 2 x 2 pixels in reading order. */
  readonly pattern: (typeof PATTERNS)[number];
}

/**
 * Demosaicing: behind a Bayer filter every pixel keeps one channel, by its place in a pattern of 2 x 2; the measurement is one plane
 * [1, H, W]. A A' = I, so that the likelihood step is one draw in closed form.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function demosaicing(gpu: Gpu, options: DemosaicingOptions): GpuOperator {
  checkKeys("demosaicing", options, { shape: true, pattern: true });
  const shape = checkShape("demosaicing", options.shape);
  const { pattern } = options;
  const [channels, height, width] = shape;
  if (channels !== 3) throw bad(`demosaicing: shape must have 3 channels (red, green, blue), got ${channels}.`);
  if (!PATTERNS.includes(pattern))
    throw bad(`demosaicing: pattern must be one of ${PATTERNS.join(", ")}, got ${String(pattern)}.`);
  const pixels = height * width;
  const channelOf = (pixel: number) => {
    const [row, column] = [Math.floor(pixel / width), pixel % width];
    return "RGB".indexOf(pattern[2 * (row % 2) + (column % 2)]!);
  };
  const kept = Array.from({ length: pixels }, (_, i) => channelOf(i) * pixels + i);
  const back = Array.from({ length: 3 * pixels }, (_, i) =>
    channelOf(i % pixels) === Math.floor(i / pixels) ? i % pixels : -1,
  );
  const [forward, adjoint] = [selection(3 * pixels, kept), selection(pixels, back)];
  return linearOperator(gpu, {
    name: "demosaicing",
    shape,
    measurementShape: [1, height, width],
    gram: 1,
    forward: (s, x, to) => alongAxis(s, "filter", x, forward, { to }),
    adjoint: (s, y, to) => alongAxis(s, "channels", y, adjoint, { to }),
  });
}
