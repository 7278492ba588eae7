/** What convolutions choose whose filters are packed in every run: the packing counts, and the batch of the run decides. */
import { tiling, type WinogradTile, winograd, winogradTile } from "../../kernels/lib/winograd.js";
import { gemmWeightLength } from "../../kernels/network/gemm/weight.js";
import type { DeviceRates } from "../gpu/contract.js";
import { type ConvShape, implicitSeconds, winogradSeconds } from "./conv-seconds.js";

/** Nanoseconds on two cores of a software adapter (bench/NOTES.md). */
const NS = {
  /** A value of a transformed filter made and read, and one of an operand of the products written and read. */
  filter: 1,
  operand: 0.6,
  /** A multiply-add of the products, where there are one, two, at most four, or more quads of columns. */
  product: (quads: number) => (quads > 4 ? 0.035 : quads > 2 ? 0.044 : quads > 1 ? 0.06 : 0.067),
};

/** Whether one binding holds a layer's transformed filters, f32: nodes pack them whole. */
const fits = ({ inChannels, outChannels }: ConvShape, tile: WinogradTile, bindingBytes: number) =>
  4 * gemmWeightLength(winograd(tile).points, outChannels, inChannels) <= bindingBytes;

/**
 * The tile of a layer on a software adapter that transforms its filters in every run: small tiles write and read less than half
 * as many values of filters and make nearly twice the products, so the batch decides. Never larger than where filters are
 * transformed at load, nor than one binding holds.
 */
export function packedTile(shape: ConvShape, batch: number, bindingBytes: number): WinogradTile {
  const { inChannels, outChannels, height, width } = shape;
  if (winogradTile(height, width, inChannels * outChannels) === 2 || !fits(shape, 4, bindingBytes)) return 2;
  const cost = (tile: WinogradTile) => {
    const { points } = winograd(tile);
    const { blocks } = tiling(batch, height, width, 1, tile);
    const product = NS.product(blocks) * 4 * blocks;
    const filters = inChannels * outChannels * (NS.filter + product);
    return points * (filters + NS.operand * 4 * blocks * (inChannels + outChannels));
  };
  return cost(2) < cost(4) ? 2 : 4;
}

/** What two dispatches more must leave of the time. */
const WORTH = 0.9;

/** Seconds to pack a 3x3 layer's filters, so many values of each, f32. */
function packingSeconds({ inChannels, outChannels }: ConvShape, values: number, rates: DeviceRates): number {
  return (4 * (9 + values) * inChannels * outChannels) / rates.bandwidth + rates.dispatch;
}

/**
 * Whether a GPU computes a 3x3 convolution of so many images by Winograd's three dispatches, rather than by one; never where one
 * binding does not hold the filters.
 */
export function packedWinogradPays(
  shape: ConvShape,
  batch: number,
  { rates, bindingBytes }: { readonly rates: DeviceRates; readonly bindingBytes: number },
): boolean {
  const tile = winogradTile(shape.height, shape.width, shape.inChannels * shape.outChannels);
  if (!fits(shape, tile, bindingBytes)) return false;
  const { points } = winograd(tile);
  const seconds = winogradSeconds(shape, batch, rates) + packingSeconds(shape, points, rates);
  return seconds < WORTH * (implicitSeconds(shape, batch, rates) + packingSeconds(shape, 9, rates));
}
