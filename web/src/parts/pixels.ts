import { PIXELS, SIDE } from "../engine/protocol.js";

/** Grey values of an image file, in [-1, 1]: each tile of 32 x 32 by itself, row by row. */
export async function tilesOf(url: string): Promise<Float32Array[]> {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob(), { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d")!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const [columns, rows] = [width / SIDE, height / SIDE];
  return Array.from({ length: rows * columns }, (_, tile) => {
    const [top, left] = [Math.floor(tile / columns) * SIDE, (tile % columns) * SIDE];
    return Float32Array.from({ length: PIXELS }, (_, i) => {
      const at = (top + Math.floor(i / SIDE)) * width + left + (i % SIDE);
      return data[4 * at]! / 127.5 - 1;
    });
  });
}

export const tile = (images: Float32Array, i: number): Float32Array => images.subarray(i * PIXELS, (i + 1) * PIXELS);

export interface Moments {
  readonly mean: Float32Array;
  readonly std: Float32Array;
}

/** Mean and standard deviation (over n - 1) of each pixel. */
export function moments(images: Float32Array): Moments {
  const n = images.length / PIXELS;
  const mean = new Float32Array(PIXELS);
  const std = new Float32Array(PIXELS);
  for (let i = 0; i < PIXELS; i++) {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += images[k * PIXELS + i]!;
    mean[i] = sum / n;
    let square = 0;
    for (let k = 0; k < n; k++) square += (images[k * PIXELS + i]! - mean[i]!) ** 2;
    std[i] = Math.sqrt(square / Math.max(1, n - 1));
  }
  return { mean, std };
}
