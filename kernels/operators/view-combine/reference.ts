import type { Inputs } from "../../../src/gpu/contract.js";
import { pictureLength, type ViewParams, viewed } from "../../lib/views.js";

export interface ViewCombineParams extends ViewParams {
  readonly factor: number;
  /** Of planes: on top of other planes. */
  readonly base: boolean;
}

export function reference(params: ViewCombineParams, { x, window, positions, base }: Inputs) {
  const { batch, channels, height, width, views, rows, columns, as, factor } = params;
  const y = new Float64Array(pictureLength(params));
  const from = viewed(params, positions!, window);
  let i = 0;
  for (let n = 0; n < batch; n++)
    for (let view = 0; view < views; view++)
      for (let channel = 0; channel < channels; channel++)
        for (let row = 0; row < rows; row++)
          for (let column = 0; column < columns; column++) {
            const { pixel, weight } = from(view, row, column);
            const [re, im] = [x![i++]!, x![i++]!];
            const value = [weight[0] * re + weight[1] * im, weight[0] * im - weight[1] * re];
            const plane = n * channels + channel;
            const size = height * width;
            if (as === "planes") {
              y[2 * plane * size + pixel]! += factor * value[0]!;
              y[(2 * plane + 1) * size + pixel]! += factor * value[1]!;
            } else if (as === "spectrum") {
              y[2 * (plane * size + pixel)]! += factor * value[0]!;
              y[2 * (plane * size + pixel) + 1]! += factor * value[1]!;
            } else y[plane * size + pixel]! += factor * value[0]!;
          }
  if (params.base) for (let at = 0; at < y.length; at++) y[at]! += base![at]!;
  return { y };
}
