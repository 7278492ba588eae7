import { operators } from "../operators.js";
import { countsAsPicture } from "../simple.js";
import { OWN_PRESET } from "./common.js";
import { task } from "./task.js";

/** Counts of photons. */
export const poisson = task({
  preset: OWN_PRESET,
  baselines: async () => ({}),
  scale: "counts",
  noise: "counts",
  flags: {
    peak: {
      option: "--peak <x>",
      help: "poisson: expected counts of white (default: 20)",
      value: { number: { above: 0 } },
    },
    background: {
      option: "--background <x>",
      help: "poisson: expected counts of black (default: 0)",
      value: { number: { min: 0 } },
    },
  },
  make(gpu, shape, { peak = 20, background = 0 }) {
    return {
      operator: operators.poisson(gpu, { shape, peak, background }),
      baselines: countsAsPicture(peak, background),
      // A count's own; that of none is taken for one.
      variance: (mean) => Math.max(mean, 1),
      show: (y) => ({ values: y.map((v) => (2 * (v - background)) / peak - 1), shape }),
      description: `Poisson counts, ${peak} of white${background > 0 ? ` and ${background} of black` : ""}`,
      options: { peak, background },
    };
  },
});
