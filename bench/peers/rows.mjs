/**
 * What is compared. `target` is how many times faster than the fastest peer ncvsd-gpu sets out to be; `flops` counts a
 * convolution as its direct sum, whatever a contender makes of it; `bytes`, where memory is the limit, each element once. `byName`: measured
 * only where it is asked for, since a peer takes minutes for it.
 *
 * @typedef {{ id: string, title: string, kind: string, flops: number, bytes?: number, target: number | null } & Record<string, any>} Row
 */
import { smallConfig, unetConfig } from "./network/checkpoint.mjs";
import { discoStepFlops } from "./network/disco.mjs";
import { INCEPTION_FLOPS } from "./network/inception-widths.mjs";
import { unetFlops } from "./network/unet.mjs";

function conv(kernel, inChannels, outChannels, side, target) {
  return {
    id: `conv${kernel}x${kernel}-${inChannels}-${side}`,
    title: `conv ${kernel}x${kernel} ${inChannels}->${outChannels} @${side}x${side}`,
    kind: "conv",
    layer: { kernel, inChannels, outChannels },
    side,
    flops: 2 * kernel * kernel * inChannels * outChannels * side * side,
    target,
  };
}

/** Forward pass, gradients of weights and of inputs, one convolution's work each. */
const train = (id, config, batch) => ({
  id,
  title: `EDM2 U-Net, ${config === unetConfig ? "64 channels" : "32 and 64 channels"}, 32x32: training step, ${batch === 1 ? "one image" : `${batch} images`}`,
  kind: "train",
  config,
  batch,
  sigma: 1,
  flops: 3 * batch * unetFlops(config),
  target: 6,
  byName: true,
});

const matmulSide = 1024;
const attention = { heads: 9, headDim: 64, pixels: 256 };
const map = { channels: 192, side: 64 };
const elements = map.channels * map.side * map.side;

/** @type {readonly Row[]} */
export const ROWS = [
  conv(3, 192, 192, 64, 10),
  conv(3, 384, 384, 32, 10),
  conv(3, 768, 768, 8, 8),
  conv(1, 768, 2304, 8, 4),
  {
    id: "attention",
    title: "attention 9 heads x 64, 256 tokens",
    kind: "attention",
    ...attention,
    flops: 4 * attention.heads * attention.headDim * attention.pixels ** 2,
    target: 4,
  },
  {
    id: "matmul",
    title: "matmul 1024^3",
    kind: "matmul",
    side: matmulSide,
    packed: false,
    flops: 2 * matmulSide ** 3,
    target: 4,
  },
  {
    id: "matmul-packed",
    title: "matmul 1024^3, one operand known beforehand",
    kind: "matmul",
    side: matmulSide,
    packed: true,
    flops: 2 * matmulSide ** 3,
    target: null,
  },
  {
    id: "pixel-norm",
    title: "pixel norm 192x64x64",
    kind: "pixelNorm",
    ...map,
    flops: 3 * elements,
    bytes: 8 * elements,
    target: 2,
  },
  {
    id: "mp-silu",
    title: "scaled mp_silu 192x64x64",
    kind: "mpSilu",
    ...map,
    flops: 5 * elements,
    bytes: 8 * elements,
    target: 2,
  },
  {
    id: "unet",
    title: "EDM2 U-Net, 64 channels, 32x32",
    kind: "unet",
    side: unetConfig.img_resolution,
    channels: unetConfig.img_channels,
    sigma: 1,
    flops: unetFlops(unetConfig),
    target: 7,
  },
  {
    id: "inception",
    title: "Inception-v3 of FID, one picture",
    kind: "inception",
    flops: INCEPTION_FLOPS,
    target: 4,
    byName: true,
  },
  train("train-64", unetConfig, 1),
  train("train-32", smallConfig, 1),
  train("batch-64", unetConfig, 4),
  train("batch-32", smallConfig, 16),
  {
    id: "disco",
    title: "DISCO training step, D = 2, width 128, 1,024 points",
    kind: "disco",
    flops: discoStepFlops(),
    target: 5,
    byName: true,
  },
];

/** A contender whose output is further than this from float64 (||out - ref|| / ||ref||) is wrong and has no time. */
export const TOLERANCE = 1e-4;

/** @param {string | undefined} filter parts of ids, separated by commas */
export function selectRows(filter) {
  if (filter === undefined) return ROWS.filter(({ byName }) => !byName);
  const wanted = filter.split(",").map((part) => part.trim());
  const unknown = wanted.find((part) => !ROWS.some(({ id }) => id.includes(part)));
  if (unknown === undefined) return ROWS.filter(({ id }) => wanted.some((part) => id.includes(part)));
  throw new Error(`There is no row "${unknown}": the rows are ${ROWS.map(({ id }) => id).join(", ")}.`);
}
