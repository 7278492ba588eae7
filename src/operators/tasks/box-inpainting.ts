import { operators } from "../operators.js";
import { authors, BOX_PRESET, INPAINTING, MASK, maskedBy } from "./common.js";
import { task } from "./task.js";

/** The middle half of each side is missing: rows and columns 64 to 191 of 256. */
export const boxInpainting = task({
  ...INPAINTING,
  preset: BOX_PRESET,
  samplers: authors({ lambda: 1.75, step: 5e-5, hmc: [84, 1.15e-5, 0.014, 0.003] }),
  flags: { mask: MASK },
  make(gpu, shape, { mask }) {
    if (mask) return maskedBy(gpu, shape, mask);
    const [, h, w] = shape;
    const box = [Math.floor(h / 4), h - Math.floor(h / 4), Math.floor(w / 4), w - Math.floor(w / 4)] as const;
    const description = `rows ${box[0]}-${box[1] - 1} and columns ${box[2]}-${box[3] - 1} missing`;
    return { operator: operators.inpainting(gpu, { shape, box }), description, options: { box } };
  },
});
