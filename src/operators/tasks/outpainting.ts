import { bad } from "../../errors.js";
import { operators } from "../operators.js";
import { BOX_PRESET, INPAINTING } from "./common.js";
import { task } from "./task.js";

/** Only a box is known. */
export const outpainting = task({
  ...INPAINTING,
  preset: BOX_PRESET,
  flags: {
    known: {
      option: "--known <t,b,l,r>",
      help: "outpainting: rows t to b - 1 and columns l to r - 1 are known (default: the middle half of each side)",
      value: { numbers: { count: 4 } },
    },
  },
  make(gpu, shape, options) {
    const [, h, w] = shape;
    const middle = [Math.floor(h / 4), h - Math.floor(h / 4), Math.floor(w / 4), w - Math.floor(w / 4)] as const;
    const known = options.known ?? middle;
    const [top, bottom, left, right] = known as readonly [number, number, number, number];
    if (
      !known.every(Number.isInteger) ||
      top < 0 ||
      left < 0 ||
      top >= bottom ||
      left >= right ||
      bottom > h ||
      right > w
    )
      throw bad(`--known ${known.join(",")} is no box in images of ${w}x${h}: give top,bottom,left,right`);
    return {
      operator: operators.inpainting(gpu, { shape, known }),
      description: `only rows ${top}-${bottom - 1} and columns ${left}-${right - 1} known`,
      options: { known },
    };
  },
});
