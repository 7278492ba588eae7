import { axpby } from "../../../kernels/network/axpby/kernel.js";
import { krylovSolve } from "../../../kernels/sampling/krylov-solve/kernel.js";
import { krylovStep } from "../../../kernels/sampling/krylov-step/kernel.js";
import { bad } from "../../errors.js";
import { checkInteger } from "../../operators/check.js";
import { copying, openMaps, perform, type Step } from "../maps.js";
import type { Run } from "../run.js";
import type { Settings } from "../samplers.js";
import type { ConditionalDenoiser } from "./conditional.js";
import { lacksAdjoint, openVjp } from "./derivative.js";
import { openGuide } from "./guide.js";
import { guided } from "./guided.js";
import type { Problem } from "./sampler.js";
import { levelDefaults, solverDefaults } from "./settings.js";

/** The basis is kept, and so are its images: more would fill the memory for nothing. */
const MOST_ITERATIONS = 100;

/** Values of an offset that a binding may have. */
const ALIGNED = 64;

/**
 * Moment matching posterior sampling (MMPS, Rozet et al. 2024): x0 given x has the mean D and the covariance s^2 J, so
 *
 *     D_y = D + s^2 J'A' w,   (sigmaY^2 + s^2 A J'A') w = y - A D
 *
 * w by exactly `iterations` steps of GMRES from 0, for each image on its own, without a test of convergence: J is symmetric for an
 * exact denoiser, not for a network, hence no conjugate gradients. What J'A' makes of the Krylov vectors is kept, so that
 * s^2 J'A' w is a sum of these: `iterations` vjps for each evaluation, and not one more.
 */
export const mmps = guided({
  name: "mmps",
  title: "MMPS (Rozet et al. 2024): guidance with the covariance that the network's derivative gives",
  architectures: ["edm2"],
  settings: {
    iterations: 1,
    ...solverDefaults({ solver: "heun", clip: false }),
    ...levelDefaults({ steps: 50, sigmaMin: 0.01, sigmaMax: 80 }),
  },
  flags: [
    {
      setting: "iterations",
      option: "--iterations <n>",
      help: "GMRES steps, a derivative each",
      value: { integer: { min: 1, max: MOST_ITERATIONS } },
    },
  ],
  lacks: lacksAdjoint,
  own(given, defaults) {
    const iterations = checkInteger("mmps", "iterations", given.iterations ?? defaults.iterations, 1);
    if (iterations > MOST_ITERATIONS)
      throw bad(`mmps: iterations must be at most ${MOST_ITERATIONS}, got ${iterations}: 1 to 5 are usual.`);
    return { iterations };
  },
  derivatives: ({ iterations }) => iterations as number,
  open,
});

async function open(run: Run, problem: Problem, settings: Settings): Promise<ConditionalDenoiser> {
  const { gpu, batch, total } = run;
  const { sigmaY } = problem;
  const iterations = settings.iterations as number;
  const net = await openVjp(run, problem);
  const maps = await openMaps(run, problem.operator);
  const [forward, adjoint] = [await maps.forward(), await maps.adjoint()];
  const entries = maps.entries / batch;
  const side = iterations + 1;
  const y = run.buffer("y", maps.entries);
  gpu.write(y, problem.y);
  const basis = run.buffer("Krylov basis", side * maps.entries);
  const h = run.buffer("Hessenberg matrix", batch * side * side);
  const weight = run.buffer("Krylov weights", batch * iterations);
  const level = run.buffer("level", 2);
  // J'A' of each vector, one behind the other where bindings may begin.
  const pitch = Math.ceil(total / ALIGNED) * ALIGNED;
  const pulled = run.buffer("J'A' of the basis", (iterations - 1) * pitch + total);

  // What a step finds is the next thing that A' is given.
  const views = { ax: forward.out, basis, h, v: maps.y };
  const krylov = (step: number) =>
    run.stage(`Krylov step ${step}`, krylovStep, { batch, entries, iterations, step }, { y, level, ...views });
  const steps: Step[] = [net, await copying(run, net.denoised, maps.x, total), forward.step, await krylov(0)];
  const [toNet, toMaps] = [await copying(run, adjoint.out, net.v, total), await copying(run, net.vjp, maps.x, total)];
  const bytes = 16 * Math.ceil(total / 4);
  for (let j = 0; j < iterations; j++) {
    const slot = { buffer: pulled, offset: 4 * pitch * j, size: bytes };
    const params = { elements: total, type: "f32" as const, alpha: 1, beta: null };
    const keep = await run.stage("keep", axpby, params, { a: net.vjp, y: slot });
    steps.push(adjoint.step, toNet, net.pullback, keep, toMaps, forward.step, await krylov(j + 1));
  }
  steps.push(await run.stage("least squares", krylovSolve, { batch, iterations }, { h, c: weight }));
  const directions = { buffer: pulled, vectors: iterations, pitch, weight };
  const guide = await openGuide(run, net, settings.clip as boolean, directions);
  steps.push(...guide.steps);
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
