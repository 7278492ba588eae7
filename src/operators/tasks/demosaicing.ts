import { bad } from "../../errors.js";
import { operators } from "../operators.js";
import { bilinear } from "../simple.js";
import { OWN_PRESET } from "./common.js";
import { task } from "./task.js";

/** One channel of every pixel, by a Bayer pattern. */
export const demosaicing = task({
  preset: OWN_PRESET,
  baselines: bilinear,
  flags: {
    pattern: {
      option: "--pattern <letters>",
      help: "demosaicing: colours of the upper left 2 x 2 pixels (default: RGGB)",
      value: { choice: ["RGGB", "BGGR", "GRBG", "GBRG"] },
    },
  },
  make(gpu, shape, { pattern = "RGGB" }) {
    const [channels] = shape;
    if (channels !== 3)
      throw bad(`demosaicing needs a network of colour pictures: this one's have ${channels} channel`);
    const operator = operators.demosaicing(gpu, { shape, pattern });
    return {
      operator,
      // In its colours: what was not measured is black.
      async show(y) {
        const [values, known] = [await operator.adjoint!(y), await operator.adjoint!(y.map(() => 1))];
        return { values: values.map((v, i) => (known[i] === 1 ? v : -1)), shape };
      },
      description: `Bayer mosaic ${pattern}`,
      options: { pattern },
    };
  },
});
