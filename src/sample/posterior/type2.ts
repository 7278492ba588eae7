import { checkPositive } from "../../operators/check.js";
import { openMeanDenoiser, priorRho } from "./conditional.js";
import { guided } from "./guided.js";
import { lacksMean } from "./mean.js";
import { levelDefaults, SIGMA_PRIOR_FLAG, solverDefaults } from "./settings.js";

/** Type II guidance (Peng et al. 2024): D_y = m(D(x, s); sigmaY, r(s)), clipped, in Heun's sampler with churn. */
export const type2 = guided({
  name: "type2",
  title: "type II guidance (Peng et al. 2024): the data step inside Heun's sampler with churn",
  architectures: ["edm2", "ncvsd"],
  settings: {
    sigmaPrior: 1,
    ...solverDefaults({ solver: "heun", clip: true, S_churn: 80, S_min: 0.05, S_max: 50, S_noise: 1.003 }),
    ...levelDefaults({ steps: 50, sigmaMin: 0.01, sigmaMax: 80 }),
  },
  flags: [SIGMA_PRIOR_FLAG],
  lacks: lacksMean,
  own: (given, defaults) => ({
    sigmaPrior: checkPositive("type2", "sigmaPrior", given.sigmaPrior ?? defaults.sigmaPrior),
  }),
  open: (run, problem, { sigmaPrior, clip }) =>
    openMeanDenoiser(run, problem, { rho: priorRho(sigmaPrior as number), clip: clip as boolean }),
});
