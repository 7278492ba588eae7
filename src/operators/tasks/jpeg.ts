import { bad } from "../../errors.js";
import { operators } from "../operators.js";
import { decoded } from "../simple.js";
import { OWN_PRESET } from "./common.js";
import { task } from "./task.js";

const SIGMA = 0.01;

/** Coefficients of a grey JPEG picture. */
export const jpeg = task({
  preset: { ...OWN_PRESET, sigmaY: SIGMA, beta: 2 * SIGMA ** 2 },
  baselines: decoded,
  scale: "own",
  noise: "inside",
  flags: {
    quality: {
      option: "--quality <n>",
      help: "jpeg: as encoders have it, 1 to 100 (default: 10)",
      value: { integer: { min: 1, max: 100 } },
    },
  },
  make(gpu, shape, { quality = 10 }) {
    const [channels, h, w] = shape;
    if (channels !== 1) throw bad(`--task jpeg is for grey pictures: the network's have ${channels} channels`);
    if (h % 8 !== 0 || w % 8 !== 0) throw bad(`--task jpeg needs sides that are multiples of 8, not ${w}x${h}`);
    const operator = operators.jpeg(gpu, { shape, quality });
    return {
      operator,
      // Of rounding alone.
      variance: () => 1 / 12,
      async show(y) {
        const { decoded: values } = await decoded({ operator, y, sigmaY: 0, seeds: [0] });
        return { values: values!, shape };
      },
      description: `JPEG of quality ${quality}`,
      options: { quality },
    };
  },
});
