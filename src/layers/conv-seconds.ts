/** What a convolution costs on a GPU, by counting: for choosing between algorithms, not for telling times. */

import { bestTile, SEGMENTS, TILES, type TiledShape, tiledSeconds } from "../../kernels/lib/tiles.js";
import { operandLength, tiling, winograd, winogradTile } from "../../kernels/lib/winograd.js";
import { LOADED } from "../../kernels/network/implicit-gemm/sizes.js";
import type { DeviceRates } from "../gpu/contract.js";

/** What decides how a convolution is computed: the layer, never the batch, since a seed's bits must not depend on it. */
export interface ConvShape {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: 1 | 3;
}

/** Every WebGPU adapter has workgroups of as many invocations. */
const WORKGROUP = 256;

/** Sums of fewer products are not cut into parts. */
const LONG = 128;
/** Outputs of a tile that a multiprocessor gets of an image that fills a GPU alone. */
const TILE = 32 * 32;

/**
 * Parts of a layer's sums (`SEGMENTS`): cut where they are long and one image gives fewer multiprocessors a tile than there are. By
 * the layer alone, never the batch, since bits depend on it.
 */
export function segmentsOf(outChannels: number, pixels: number, depth: number, rates: DeviceRates): number {
  return depth >= LONG && outChannels * pixels < TILE * rates.multiprocessors ? SEGMENTS : 1;
}

function product(shape: TiledShape, bytes: number, rates: DeviceRates): number {
  const tile = TILES[bestTile(shape, { maxWorkgroupSize: WORKGROUP, rates })]!;
  return Math.max(tiledSeconds(tile, shape, rates), bytes / rates.bandwidth) + rates.dispatch;
}

/** Seconds of a 3x3 convolution as one implicit matrix product, f32. */
export function implicitSeconds(
  { inChannels, outChannels, height, width }: ConvShape,
  batch: number,
  rates: DeviceRates,
) {
  const depth = 9 * inChannels;
  const segments = segmentsOf(outChannels, height * width, depth, rates);
  const pixels = batch * height * width;
  const quads = batch * height * Math.ceil(width / 4);
  const bytes = 4 * (pixels * (inChannels + outChannels) + depth * outChannels);
  return product({ groups: 1, rows: outChannels, quads, depth, segments, loaded: LOADED }, bytes, rates);
}

/** Invocations of a multiprocessor that keep the memory busy; where a transform has fewer, each of them waits for its own loads. */
const LOADING = 128;

/** Seconds of its three dispatches as a Winograd convolution, f32. */
export function winogradSeconds(
  { inChannels, outChannels, height, width }: ConvShape,
  batch: number,
  rates: DeviceRates,
) {
  const tile = winogradTile(height, width, inChannels * outChannels);
  const { points } = winograd(tile);
  const tiles = tiling(batch, height, width, 1, tile);
  const pixels = batch * height * width;
  const transform = (channels: number) => {
    const bytes = 4 * (channels * pixels + operandLength(channels, tiles));
    const busy = Math.min(1, (4 * channels * tiles.blocks) / (LOADING * rates.multiprocessors));
    return bytes / (rates.bandwidth * busy) + rates.dispatch;
  };
  const operands = operandLength(inChannels + outChannels, tiles) + points * inChannels * outChannels;
  const shape = { groups: points, rows: outChannels, quads: tiles.blocks, depth: inChannels, segments: 1 };
  return transform(inChannels) + product(shape, 4 * operands, rates) + transform(outChannels);
}
