import { tiling, type WinogradTile, winograd, winogradTile } from "../../kernels/lib/winograd.js";
import type { DeviceRates } from "../gpu/contract.js";
import { type ConvShape, winogradPays } from "./conv-seconds.js";

export type { ConvShape };

/**
 * - `winograd`: F(4x4, 3x3) as three nodes (input transform, 36 matrix products, output transform with the epilogue): a
 *   quarter of the multiplications of the direct sum, for 4.5 times the traffic of the images. Error per layer about
 *   1e-6 in f32, three times that of the direct sum. F(2x2, 3x3) for images that leave most of larger tiles empty.
 * - `implicit`: a 3x3 convolution as one node, a matrix product whose columns are made as they are read. For GPUs.
 * - `gemm`: a 1x1 convolution as one matrix product per image.
 * - `direct`: the plain sum over the window; for what the others cannot do or waste.
 */
export type ConvAlgorithm = "winograd" | "implicit" | "gemm" | "direct";

/** A name of the layer's shape, without the batch: `conv 3x3 192>384 @64x64`, from input channels to output channels. */
export function convKey({ inChannels, outChannels, height, width, kernel }: ConvShape): string {
  return `conv ${kernel}x${kernel} ${inChannels}>${outChannels} @${height}x${width}`;
}

/**
 * The algorithms that can do this layer, the cost model's own choice first.
 * @param rates of a GPU; absent: software  @param packedFor batch of a run that packs the weight itself
 */
export function convChoices(shape: ConvShape, rates?: DeviceRates, packedFor?: number): readonly ConvAlgorithm[] {
  if (rates && shape.kernel === 3) {
    return winogradPays(shape, rates, packedFor)
      ? ["winograd", "implicit", "direct"]
      : ["implicit", "winograd", "direct"];
  }
  const own = cheapest(shape);
  if (own !== "direct") return [own, "direct"];
  return shape.kernel === 3 ? [own, "winograd"] : [own];
}

/** Nanoseconds on two cores of a software adapter (bench/NOTES.md). */
const NS = {
  /** A value of a transformed filter made and read, and one of an operand of the products written and read. */
  filter: 1,
  operand: 0.6,
  /** A multiply-add of the products, where there are one, two, at most four, or more quads of columns. */
  product: (quads: number) => (quads > 4 ? 0.035 : quads > 2 ? 0.044 : quads > 1 ? 0.06 : 0.067),
};

/**
 * The tile of a layer on a software adapter that transforms its filters in every run: small tiles write and read less than half
 * as many values of filters and make nearly twice the products, so the batch decides. Never larger than where filters are
 * transformed at load.
 */
export function packedTile({ inChannels, outChannels, height, width }: ConvShape, batch: number): WinogradTile {
  if (winogradTile(height, width, inChannels * outChannels) === 2) return 2;
  const cost = (tile: WinogradTile) => {
    const { points } = winograd(tile);
    const { blocks } = tiling(batch, height, width, 1, tile);
    const product = NS.product(blocks) * 4 * blocks;
    const filters = inChannels * outChannels * (NS.filter + product);
    return points * (filters + NS.operand * 4 * blocks * (inChannels + outChannels));
  };
  return cost(2) < cost(4) ? 2 : 4;
}

/** What `tuning` names for this layer (`convKey`), if it can be done that way; otherwise the cost model's choice. */
export function convAlgorithm(
  shape: ConvShape,
  tuning?: ReadonlyMap<string, string>,
  rates?: DeviceRates,
  packedFor?: number,
): ConvAlgorithm {
  const choices = convChoices(shape, rates, packedFor);
  const tuned = tuning?.get(convKey(shape));
  return choices.find((algorithm) => algorithm === tuned) ?? choices[0]!;
}

/**
 * The cheapest algorithm by the multiplications that it makes, padding included. The matrix kernels read quads of
 * neighbours, so a 1x1 convolution needs a multiple of four pixels. Winograd fills whole blocks of tiles where the direct sum
 * makes nine products per pixel, but its products run as matrix products. On measured layers (bench/NOTES.md) it wins at
 * every channel count, one output channel included. Its weights take up to four times the space of the direct sum's and its
 * operands 2.25 times that of an image, per image.
 */
function cheapest({ inChannels, outChannels, height, width, kernel }: ConvShape): ConvAlgorithm {
  if (kernel === 1) return (height * width) % 4 === 0 ? "gemm" : "direct";
  const tile = winogradTile(height, width, inChannels * outChannels);
  const { blocks } = tiling(1, height, width, 1, tile);
  return 9 * height * width >= 4 * blocks * winograd(tile).points ? "winograd" : "direct";
}
