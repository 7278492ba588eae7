import { interpolateViridis } from "d3-scale-chromatic";
import type { RawImage } from "../image/pixels.js";
import type { Cell } from "./sheet.js";

/** Viridis (van der Walt, Smith 2015): as bright as the value is large, for every eye and in grey. */
const TABLE = Array.from({ length: 256 }, (_, i) => interpolateViridis(i / 255));
const BYTES = TABLE.map((colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)));

/**
 * A map of values as a picture with its scale.
 * @param values H*W; from 0 on
 * @param top the value of the brightest colour, which larger ones have, too
 */
export function mapped(values: ArrayLike<number>, [height, width]: readonly [number, number], top: number): Cell {
  const data = new Uint8Array(3 * width * height);
  for (let p = 0; p < width * height; p++) {
    const at = Math.round(Math.min(Math.max(values[p]! / top, 0), 1) * 255);
    data.set(BYTES[at]!, 3 * p);
  }
  const image: RawImage = { width, height, channels: 3, data };
  return { image, scale: { colours: TABLE.filter((_, i) => i % 5 === 0), low: "0", high: `${top}+` } };
}
