import type { Inputs } from "../../../src/gpu/contract.js";
import { type ViewParams, viewed, viewLength } from "../../lib/views.js";

export function reference(params: ViewParams, { x, window, positions }: Inputs) {
  const { batch, channels, height, width, views, rows, columns, as } = params;
  const y = new Float64Array(viewLength(params));
  const from = viewed(params, positions!, window);
  const value = (plane: number, pixel: number): [number, number] => {
    const at = plane * height * width + pixel;
    if (as === "object") return [(x![at]! + 1) / 2, 0];
    if (as === "real") return [x![at]!, 0];
    if (as === "spectrum") return [x![2 * at]!, x![2 * at + 1]!];
    return [x![2 * plane * height * width + pixel]!, x![(2 * plane + 1) * height * width + pixel]!];
  };
  let i = 0;
  for (let n = 0; n < batch; n++)
    for (let view = 0; view < views; view++)
      for (let channel = 0; channel < channels; channel++)
        for (let row = 0; row < rows; row++)
          for (let column = 0; column < columns; column++) {
            const { pixel, weight } = from(view, row, column);
            const [re, im] = value(n * channels + channel, pixel);
            y[i++] = weight[0] * re - weight[1] * im;
            y[i++] = weight[0] * im + weight[1] * re;
          }
  return { y };
}
