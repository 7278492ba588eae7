import { PIXELS, SIDE } from "./protocol.js";

/** Zeros inside the box: top, bottom, left, right; bottom and right not included. */
export function boxMask([top, bottom, left, right]: readonly [number, number, number, number]): Uint8Array {
  return Uint8Array.from({ length: PIXELS }, (_, i) => {
    const [row, column] = [Math.floor(i / SIDE), i % SIDE];
    return row >= top && row < bottom && column >= left && column < right ? 0 : 1;
  });
}
