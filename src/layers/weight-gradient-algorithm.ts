import { channelOperandLength, OCTET, octets, PANEL, panels } from "../../kernels/lib/channel-operand.js";
import { type WinogradTile, winograd } from "../../kernels/lib/winograd.js";
import type { DeviceRates } from "../gpu/contract.js";
import type { ConvShape } from "./conv-algorithm.js";

/**
 * - 4, 2: Winograd's F(4x4, 3x3) and F(2x2, 3x3), transposed: products at 36 or 16 points, summed over tiles.
 * - `taps`: products at the taps of the window, nine or one, summed over pixels: the direct sum.
 * - `plain`: the direct sum as a loop per entry, one node instead of four: for layers so small that nodes are what they cost.
 */
export type GradientAlgorithm = WinogradTile | "taps" | "plain";

/** The algorithms that can do this layer. */
export function gradientChoices({ kernel }: Pick<ConvShape, "kernel">): readonly GradientAlgorithm[] {
  return kernel === 3 ? [4, 2, "taps", "plain"] : ["taps", "plain"];
}

type ByProducts = Exclude<GradientAlgorithm, "plain">;

export const pointsOf = ({ kernel }: Pick<ConvShape, "kernel">, algorithm: ByProducts) =>
  algorithm === "taps" ? kernel * kernel : winograd(algorithm).points;

/** What the sums run over: tiles or pixels of all images. */
export function placesOf({ height, width }: ConvShape, batch: number, algorithm: ByProducts): number {
  const side = algorithm === "taps" ? 1 : algorithm;
  return batch * Math.ceil(height / side) * Math.ceil(width / side);
}

/** Panels that are summed up in one go, at most: 256 places, so that float32 loses little more than it does in the transforms. */
const LARGEST_PIECE = 16;

/** Bytes of an operand of one piece, at most: parts of a layer are whole pieces. */
const PIECE_BYTES = 2 ** 26;

/** Panels of a piece where more pieces would cost more than they bring. */
const SMALLEST_PIECE = 4;

/**
 * Tiles of 64 x 64 channels that an adapter should have at least, all points and pieces counted. A processor has few cores to keep
 * busy, and every piece of a sum is written and read again.
 */
const TASKS = { gpu: 96, processor: 8 };

const wantedTasks = (rates: DeviceRates | undefined) => (rates ? TASKS.gpu : TASKS.processor);

/** Tiles of 64 x 64 channels of a piece, all points counted. */
const tasksOf = (shape: ConvShape, algorithm: ByProducts) =>
  pointsOf(shape, algorithm) * Math.ceil(shape.inChannels / 64) * Math.ceil(shape.outChannels / 64);

/**
 * Panels of a piece: by the layer, the batch and the kind of adapter. Layers of few channels are cut into more pieces, to be summed
 * side by side.
 * @param rates of a GPU; absent: software
 */
export function pieceOf(shape: ConvShape, batch: number, algorithm: ByProducts, rates?: DeviceRates): number {
  const { inChannels, outChannels } = shape;
  const all = panels(placesOf(shape, batch, algorithm));
  const piece = Math.ceil(all / Math.ceil(wantedTasks(rates) / tasksOf(shape, algorithm)));
  const panelBytes = 4 * channelOperandLength(Math.max(inChannels, outChannels), PANEL, pointsOf(shape, algorithm));
  const largest = Math.min(LARGEST_PIECE, Math.max(1, Math.floor(PIECE_BYTES / panelBytes)));
  return Math.min(largest, Math.max(SMALLEST_PIECE, piece));
}

/**
 * Pieces that the products of taps add up themselves, at most: a piece is also what the caches hold while all tiles of channels go
 * over it, and Winograd's products, with something to be done after them anyway, gain nothing (bench/NOTES.md).
 */
const PIECES_AT_ONCE = 4;

/**
 * Whether the products add up all pieces, to the same bits: on a processor where half the tiles are left, since nothing follows then.
 * @param rates of a GPU; absent: software
 */
export function inOneGo(shape: ConvShape, batch: number, algorithm: ByProducts, rates?: DeviceRates): boolean {
  const pieces = Math.ceil(panels(placesOf(shape, batch, algorithm)) / pieceOf(shape, batch, algorithm, rates));
  const busy = (rates ? 1 : 2) * tasksOf(shape, algorithm) >= wantedTasks(rates);
  return algorithm === "taps" && (pieces === 1 || (pieces <= PIECES_AT_ONCE && busy));
}

/** Whether the products are the gradient itself: single sums at the taps, of whole octets. */
export const productsAreGradient = ({ inChannels, outChannels }: ConvShape, sumsAtOnce: boolean) =>
  sumsAtOnce && (inChannels | outChannels) % OCTET === 0;

/** Nanoseconds on two cores of a software adapter (bench/NOTES.md). */
const NS = {
  /** A multiply-add of the products, and of the loop per entry. */
  product: 0.04,
  plain: 1,
  /** An element packed, one of u made and read, and one of the gradient where the products are that. */
  packed: 1.3,
  summed: 1.6,
  stored: 0.7,
  node: 20_000,
};

/** What an algorithm takes, by its multiply-adds and what it moves. */
function cost(shape: ConvShape, batch: number, algorithm: GradientAlgorithm, rates: DeviceRates | undefined): number {
  const { inChannels, outChannels, height, width, kernel } = shape;
  if (algorithm === "plain")
    return NS.node + NS.plain * batch * height * width * inChannels * outChannels * kernel ** 2;
  const points = pointsOf(shape, algorithm);
  const all = panels(placesOf(shape, batch, algorithm));
  const weights = points * octets(inChannels) * octets(outChannels) * 64;
  const gradient = algorithm === "taps" ? 1 : points;
  const packed = all * PANEL * (inChannels * (kernel === 3 ? points : 1) + outChannels * gradient);
  const products = NS.product * all * PANEL * weights + NS.packed * packed;
  const atOnce = inOneGo(shape, batch, algorithm, rates);
  if (productsAreGradient(shape, atOnce)) return 3 * NS.node + products + NS.stored * weights;
  const pieces = atOnce ? 1 : Math.ceil(all / pieceOf(shape, batch, algorithm, rates));
  return 4 * NS.node + products + NS.summed * pieces * weights;
}

/** The cheapest algorithm of a layer. @param rates of a GPU; absent: software */
export function gradientAlgorithm(shape: ConvShape, batch: number, rates?: DeviceRates): GradientAlgorithm {
  const costs = gradientChoices(shape).map((algorithm) => ({ algorithm, cost: cost(shape, batch, algorithm, rates) }));
  return costs.reduce((a, b) => (b.cost < a.cost ? b : a)).algorithm;
}
