import type { Inputs } from "../../../src/gpu/contract.js";
import { channelOperandIndex, channelOperandLength } from "../../lib/channel-operand.js";
import { type WinogradTile, winograd } from "../../lib/winograd.js";

export interface ConvWeightBackwardTilesParams {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Outputs along one side of a tile. */
  readonly tile: WinogradTile;
  /** What is transformed: patches of a convolution's input, or tiles of the gradient of its output. */
  readonly of: "input" | "gradient";
  /** v holds only these tiles, all images' counted together. Default: all. */
  readonly part?: { readonly first: number; readonly count: number };
}

/** Tiles of an image in a row and in a column. */
export function tilesOf({ height, width, tile }: Pick<ConvWeightBackwardTilesParams, "height" | "width" | "tile">) {
  return { tilesX: Math.ceil(width / tile), tilesY: Math.ceil(height / tile) };
}

/** The tiles of v. */
export function partOf(p: ConvWeightBackwardTilesParams) {
  const { tilesX, tilesY } = tilesOf(p);
  return p.part ?? { first: 0, count: p.batch * tilesX * tilesY };
}

/** Float64 B^T d B of every patch, or A g A^T of every tile, by plain loops. */
export function reference(p: ConvWeightBackwardTilesParams, inputs: Inputs) {
  const x = inputs.x!;
  const { channels, height, width, tile } = p;
  const { input, points, BT, AT } = winograd(tile);
  const { tilesX, tilesY } = tilesOf(p);
  const { first, count } = partOf(p);
  // Of the input, patches begin one pixel before their tile.
  const [size, before] = p.of === "input" ? [input, 1] : [tile, 0];
  const factor = (point: number, k: number) => (p.of === "input" ? BT[point]![k]! : AT[k]![point]!);
  const at = (n: number, c: number, row: number, col: number) =>
    row < 0 || row >= height || col < 0 || col >= width ? 0 : x[((n * channels + c) * height + row) * width + col]!;
  const v = new Float64Array(channelOperandLength(channels, count, points));
  for (let place = 0; place < count; place++) {
    const t = first + place;
    const [n, ty, tx] = [Math.floor(t / (tilesX * tilesY)), Math.floor(t / tilesX) % tilesY, t % tilesX];
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < input; i++) {
        for (let j = 0; j < input; j++) {
          let sum = 0;
          for (let k = 0; k < size; k++) {
            for (let l = 0; l < size; l++) {
              sum += factor(i, k) * factor(j, l) * at(n, c, tile * ty - before + k, tile * tx - before + l);
            }
          }
          v[channelOperandIndex(channels, points, place, c, i * input + j)] = sum;
        }
      }
    }
  }
  return { v };
}
