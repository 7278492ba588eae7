import { checkPositive } from "../../operators/check.js";
import { openMeanDenoiser } from "./conditional.js";
import { guided } from "./guided.js";
import { lacksMean } from "./mean.js";
import { levelDefaults, solverDefaults } from "./settings.js";

/**
 * DiffPIR (Zhu et al. 2023): D_y = m(D(x, s); sigmaY, s / sqrt(lambda)), re-noised with a share zeta of fresh noise. `lambda` is a
 * quarter of the authors', whose noise lives on [0, 1].
 */
export const diffpir = guided({
  name: "diffpir",
  title: "DiffPIR (Zhu et al. 2023): denoise, take the data step, keep a share of the old noise",
  architectures: ["edm2", "ncvsd"],
  settings: {
    lambda: 1.75,
    ...solverDefaults({ solver: "zeta", clip: false }),
    ...levelDefaults({ schedule: "ddpm-quad", steps: 100 }),
  },
  flags: [
    {
      setting: "lambda",
      option: "--lambda <x>",
      help: "weight of the prior in diffpir's data step",
      value: { number: { above: 0 } },
    },
  ],
  // The authors' settings for inpainting.
  defaults: ({ name }) => (name === "inpainting" ? { zeta: 1, steps: 20 } : {}),
  lacks: lacksMean,
  own: (given, defaults) => ({ lambda: checkPositive("diffpir", "lambda", given.lambda ?? defaults.lambda) }),
  open(run, problem, { lambda, clip }) {
    const root = Math.sqrt(lambda as number);
    return openMeanDenoiser(run, problem, { rho: (sigma) => sigma / root, clip: clip as boolean });
  },
});
