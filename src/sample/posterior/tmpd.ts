import { diagonalSolve } from "../../../kernels/sampling/diagonal-solve/kernel.js";
import { copying, openMaps, perform } from "../maps.js";
import type { Run } from "../run.js";
import type { Settings } from "../samplers.js";
import type { ConditionalDenoiser } from "./conditional.js";
import { lacksAdjoint, openVjp } from "./derivative.js";
import { openGuide } from "./guide.js";
import { guided } from "./guided.js";
import type { Problem } from "./sampler.js";
import { levelDefaults, solverDefaults } from "./settings.js";

/**
 * Tweedie moment projected diffusions (TMPD, Boys et al. 2023): the covariance s^2 J of x0 given x, and of y the row sums of its own
 * in the diagonal's place,
 *
 *     D_y = D + s^2 J'A' w,   w = (y - A D) / (sigmaY^2 + A(s^2 J'A'1)) entry by entry, 1 = ones shaped like y
 *
 * Two vjps for each evaluation. Far from an exact denoiser the divisor may come out zero or negative: it is divided by, as the
 * authors do.
 */
export const tmpd = guided({
  name: "tmpd",
  title: "TMPD (Boys et al. 2023): guidance with a diagonal covariance, two derivatives of the network",
  architectures: ["edm2"],
  settings: {
    ...solverDefaults({ solver: "heun", clip: false }),
    ...levelDefaults({ steps: 50, sigmaMin: 0.01, sigmaMax: 80 }),
  },
  flags: [],
  lacks: lacksAdjoint,
  own: () => ({}),
  derivatives: () => 2,
  open,
});

async function open(run: Run, problem: Problem, settings: Settings): Promise<ConditionalDenoiser> {
  const { gpu, total } = run;
  const { sigmaY } = problem;
  const net = await openVjp(run, problem);
  const maps = await openMaps(run, problem.operator);
  const { entries } = maps;
  const [forward, adjoint] = [await maps.forward(), await maps.adjoint()];
  const [y, ax] = [run.buffer("y", entries), run.buffer("A D", entries)];
  gpu.write(y, problem.y);

  // A'1.
  const spread = run.buffer("A'1");
  gpu.write(maps.y, new Float32Array(entries).fill(1));
  await perform(run, [adjoint.step, await copying(run, adjoint.out, spread, total)]);

  const level = run.buffer("level", 2);
  const views = { y, ax, gain: forward.out, level, w: maps.y };
  const guide = await openGuide(run, net, settings.clip as boolean);
  const steps = [
    // A D
    net,
    await copying(run, net.denoised, maps.x, total),
    forward.step,
    await copying(run, forward.out, ax, entries),
    // A J'A'1
    await copying(run, spread, net.v, total),
    net.pullback,
    await copying(run, net.vjp, maps.x, total),
    forward.step,
    // J'A'w
    await run.stage("w", diagonalSolve, { elements: entries }, views),
    adjoint.step,
    await copying(run, adjoint.out, net.v, total),
    net.pullback,
    ...guide.steps,
  ];
  return {
    ...{ sample: net.denoised, denoised: guide.denoised },
    async evaluate(input, sigma) {
      await run.submit([], [[input, net.x]]);
      run.fill(net.sigma, sigma);
      gpu.write(level, Float32Array.of(sigmaY * sigmaY, sigma * sigma));
      guide.write(sigma * sigma);
      await perform(run, steps);
    },
    locateNonFinite: () => net.locateNonFinite(),
  };
}
