import { bad } from "../../errors.js";
import { operators } from "../operators.js";
import { spread } from "../simple.js";
import { OWN_PRESET } from "./common.js";
import { task } from "./task.js";

/** A weighted sum of the channels. */
export const colorization = task({
  preset: OWN_PRESET,
  baselines: spread("grey"),
  flags: {
    weights: {
      option: "--weights <numbers|file>",
      help: "colorization: one for every channel, such as 0.3,0.59,0.11 (default: 1/3 each)",
      value: { numbers: {} },
    },
  },
  make(gpu, shape, { weights = [1 / 3, 1 / 3, 1 / 3] }) {
    const [channels] = shape;
    if (channels !== 3)
      throw bad(`colorization needs a network of colour pictures: this one's have ${channels} channel`);
    if (weights.length !== 3) throw bad(`--weights has ${weights.length} numbers: give one for each of the 3 channels`);
    return {
      operator: operators.colorization(gpu, { shape, weights }),
      description: `grey: ${weights.map((v) => Number(v.toPrecision(3))).join(", ")} of the channels`,
      options: { weights },
    };
  },
});
