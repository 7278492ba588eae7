/** What a convolution costs on a GPU, by counting: for choosing between algorithms, not for telling times. */

import { bestTile, SEGMENTS, TILES, type TiledShape, tiledSeconds } from "../../kernels/lib/tiles.js";
import { operandLength, tiling, winograd, winogradTile } from "../../kernels/lib/winograd.js";
import { tiledUnit } from "../../kernels/network/gemm/sizes.js";
import { LOADED, tiledChannels } from "../../kernels/network/implicit-gemm/sizes.js";
import type { DeviceRates } from "../gpu/contract.js";

/** What decides how a convolution of a sampler is computed: the layer, never the batch, since a seed's bits must not depend on it. */
export interface ConvShape {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: 1 | 3;
}

/** Every WebGPU adapter has workgroups of as many invocations. */
const WORKGROUP = 256;

/** Batches at which choices are weighed: one choice holds for all, since bits depend on it. */
const WEIGHED = [1, 2];
/** What more parts of a sum, or two dispatches more, must leave of the time: the ratios at these batches, multiplied. */
const WORTH = 0.8;

/** Whether seconds of a choice, by the batch, are enough less than those of a simpler one. */
function pays(seconds: (batch: number) => number, simpler: (batch: number) => number): boolean {
  return WEIGHED.reduce((all, batch) => (all * seconds(batch)) / simpler(batch), 1) < WORTH;
}

/** The matrix product of a layer. */
interface LayerProduct {
  readonly groups: number;
  readonly rows: number;
  /** Quads of columns of so many images. */
  quads(batch: number): number;
  /** Products of one output, whole turns of every part of the sum. */
  depth(segments: number): number;
  readonly loaded?: number;
}

const whole = (size: number, unit: number) => Math.ceil(size / unit) * unit;

/** Of a 3x3 convolution as one implicit matrix product. */
export function implicitProduct({ inChannels, outChannels, height, width }: ConvShape): LayerProduct {
  return {
    groups: 1,
    rows: outChannels,
    quads: (batch) => batch * height * Math.ceil(width / 4),
    depth: (segments) => 9 * tiledChannels(inChannels, segments),
    loaded: LOADED,
  };
}

/** Of a 1x1 convolution. */
export function plainProduct({ inChannels, outChannels, height, width }: ConvShape): LayerProduct {
  const depth = (segments: number) => whole(inChannels, tiledUnit(segments));
  return { groups: 1, rows: outChannels, quads: (batch) => (batch * height * width) / 4, depth };
}

/** Of a Winograd convolution, between its transforms. */
export function winogradProduct({ inChannels, outChannels, height, width }: ConvShape): LayerProduct {
  const tile = winogradTile(height, width, inChannels * outChannels);
  return {
    groups: winograd(tile).points,
    rows: outChannels,
    quads: (batch) => tiling(batch, height, width, 1, tile).blocks,
    depth: (segments) => whole(inChannels, tiledUnit(segments)),
  };
}

function productSeconds(product: LayerProduct, segments: number, batch: number, rates: DeviceRates): number {
  const { groups, rows, loaded } = product;
  const shape = { groups, rows, quads: product.quads(batch), depth: product.depth(segments), segments };
  const read: TiledShape = loaded === undefined ? shape : { ...shape, loaded };
  return tiledSeconds(TILES[bestTile(read, { maxWorkgroupSize: WORKGROUP, rates })]!, read, rates);
}

/** Parts of a layer's sums (`SEGMENTS`): more where that pays. By the layer alone, never the batch, since bits depend on it. */
export function segmentsOf(product: LayerProduct, rates: DeviceRates): number {
  const seconds = (segments: number) => (batch: number) => productSeconds(product, segments, batch, rates);
  return SEGMENTS.reduce((least: number, more) => (pays(seconds(more), seconds(least)) ? more : least), 1);
}

function wholeProduct(product: LayerProduct, batch: number, bytes: number, rates: DeviceRates): number {
  const seconds = productSeconds(product, segmentsOf(product, rates), batch, rates);
  return Math.max(seconds, bytes / rates.bandwidth) + rates.dispatch;
}

/** Seconds of a 3x3 convolution as one implicit matrix product, f32. */
export function implicitSeconds(shape: ConvShape, batch: number, rates: DeviceRates) {
  const { inChannels, outChannels, height, width } = shape;
  const bytes = 4 * (batch * height * width * (inChannels + outChannels) + 9 * inChannels * outChannels);
  return wholeProduct(implicitProduct(shape), batch, bytes, rates);
}

/** Invocations of a multiprocessor that keep the memory busy; where a transform has fewer, each of them waits for its own loads. */
const LOADING = 128;

/** Seconds of its three dispatches as a Winograd convolution, f32. */
export function winogradSeconds(shape: ConvShape, batch: number, rates: DeviceRates) {
  const { inChannels, outChannels, height, width } = shape;
  const tile = winogradTile(height, width, inChannels * outChannels);
  const tiles = tiling(batch, height, width, 1, tile);
  const pixels = batch * height * width;
  const transform = (channels: number) => {
    const bytes = 4 * (channels * pixels + operandLength(channels, tiles));
    const busy = Math.min(1, (4 * channels * tiles.blocks) / (LOADING * rates.multiprocessors));
    return bytes / (rates.bandwidth * busy) + rates.dispatch;
  };
  const operands = operandLength(inChannels + outChannels, tiles) + winograd(tile).points * inChannels * outChannels;
  const product = wholeProduct(winogradProduct(shape), batch, 4 * operands, rates);
  return transform(inChannels) + product + transform(outChannels);
}

/** Whether a GPU computes a 3x3 convolution by Winograd's three dispatches, rather than by one. */
export function winogradPays(shape: ConvShape, rates: DeviceRates): boolean {
  return pays(
    (batch) => winogradSeconds(shape, batch, rates),
    (batch) => implicitSeconds(shape, batch, rates),
  );
}
