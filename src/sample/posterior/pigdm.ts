import { axpby } from "../../../kernels/network/axpby/kernel.js";
import { bad } from "../../errors.js";
import { checkPositive } from "../../operators/check.js";
import type { Run } from "../run.js";
import type { Settings } from "../samplers.js";
import { type ConditionalDenoiser, priorRho } from "./conditional.js";
import { lacksLinearMean, openVjp } from "./derivative.js";
import { openGuide } from "./guide.js";
import { guided } from "./guided.js";
import { openMean } from "./mean.js";
import type { Problem } from "./sampler.js";
import { levelDefaults, SIGMA_PRIOR_FLAG, solverDefaults } from "./settings.js";

/**
 * PiGDM (Song et al. 2023): with m = m(D(x, s); sigmaY, r), the mean of N(D, r^2) given y, r = s p / sqrt(s^2 + p^2), p = sigmaPrior,
 *
 *     heun:         D_y = D + (s^2 / r^2) J'(m - D)            the exact score of y given x, were the error of D N(0, r^2)
 *     ddim, zeta:   D_y = D, and h = J'(m - D) is added after the step, as the authors have it
 *
 * One vjp for each evaluation.
 */
export const pigdm = guided({
  name: "pigdm",
  title: "PiGDM (Song et al. 2023): guidance by a pseudo-inverse, through the derivative of the network",
  architectures: ["edm2"],
  settings: {
    sigmaPrior: 1,
    ...solverDefaults({ solver: "ddim", clip: false }),
    ...levelDefaults({ steps: 100, sigmaMin: 0.01, sigmaMax: 80 }),
  },
  flags: [SIGMA_PRIOR_FLAG],
  lacks: lacksLinearMean,
  own(given, defaults, { solver, clip }) {
    if (clip && solver !== "heun")
      throw bad(`pigdm: clip belongs to the solver heun: with ${solver} the guidance is added after the step.`);
    return { sigmaPrior: checkPositive("pigdm", "sigmaPrior", given.sigmaPrior ?? defaults.sigmaPrior) };
  },
  derivatives: () => 1,
  open,
});

async function open(run: Run, problem: Problem, settings: Settings): Promise<ConditionalDenoiser> {
  const prior = settings.sigmaPrior as number;
  const rho = priorRho(prior);
  const net = await openVjp(run, problem);
  const posterior = await openMean(run, problem);
  const inputs = { a: posterior.mean, b: net.denoised, y: net.v };
  const pulled = await run.stage("m - D", axpby, { elements: run.total, type: "f32", alpha: 1, beta: -1 }, inputs);
  const guide = settings.solver === "heun" ? await openGuide(run, net, settings.clip as boolean) : undefined;
  return {
    ...{ sample: net.denoised, denoised: guide?.denoised ?? net.denoised },
    ...(guide ? {} : { correction: net.vjp }),
    async evaluate(input, sigma) {
      await run.submit([], [[input, net.x]]);
      run.fill(net.sigma, sigma);
      guide?.write((sigma * sigma + prior * prior) / (prior * prior));
      await run.submit([net], [[net.denoised, posterior.x]]);
      await posterior.run(rho(sigma), [pulled, net.pullback, ...(guide?.steps ?? [])]);
    },
    locateNonFinite: () => net.locateNonFinite(),
  };
}
