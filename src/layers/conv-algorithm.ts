import { tiling, winograd, winogradTile } from "../../kernels/lib/winograd.js";
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
 * @param rates of a GPU; absent: software  @param pays whether Winograd's algorithm pays on it
 */
export function convChoices(shape: ConvShape, rates?: DeviceRates, pays = winogradPays): readonly ConvAlgorithm[] {
  if (rates && shape.kernel === 3) {
    return pays(shape, rates) ? ["winograd", "implicit", "direct"] : ["implicit", "winograd", "direct"];
  }
  const own = cheapest(shape);
  if (own !== "direct") return [own, "direct"];
  return shape.kernel === 3 ? [own, "winograd"] : [own];
}

/** What `tuning` names for this layer (`convKey`), if it can be done that way; otherwise the cost model's choice. */
export function convAlgorithm(
  shape: ConvShape,
  tuning?: ReadonlyMap<string, string>,
  rates?: DeviceRates,
  pays?: typeof winogradPays,
): ConvAlgorithm {
  const choices = convChoices(shape, rates, pays);
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
