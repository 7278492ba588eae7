import { ddimStep } from "../../../kernels/sampling/ddim-step/kernel.js";
import { heunSteps } from "../heun.js";
import type { Run } from "../run.js";
import type { FiniteWatch } from "../watch.js";
import type { ConditionalDenoiser } from "./conditional.js";
import type { Problem } from "./sampler.js";
import type { SolverSettings } from "./settings.js";

/**
 * Goes down the levels with a conditional denoiser in a denoiser's place, from x = s_0 z; after the last level to 0.
 *
 *     ddim:  c = eta s' sqrt(1 - s'^2 / s^2)     zeta:  c = sqrt(zeta) s'
 *     x' = D_y + sqrt(s'^2 - c^2) (x - D_y) / s + c z (+ h)          (DDIM, Song et al. 2021; DiffPIR, Zhu et al. 2023)
 *     heun:  Karras et al. 2022, Algorithm 2, with D_y for D
 *
 * @returns the last state
 */
export async function solve(
  run: Run,
  problem: Problem,
  net: ConditionalDenoiser,
  levels: Float64Array,
  settings: SolverSettings,
): Promise<GPUBuffer> {
  const steps = levels.length;
  const check = new LevelCheck(problem, net, levels);
  const after = async (step: number, next: GPUBuffer, watch: FiniteWatch) => {
    const sigma = levels[step - 1]!;
    const checked = await check.after(watch);
    await problem.step({ step, steps, sigma, preview: net.denoised, sample: net.sample, next, check: checked });
  };
  if (settings.solver === "heun") return (await heunSteps(run, net, levels, settings, after)).x;

  const [x, next, z] = ["x", "x_next", "noise"].map((name) => run.buffer(name)) as [GPUBuffer, GPUBuffer, GPUBuffer];
  const coefficients = run.buffer("coefficients", 3);
  const h = net.correction;
  const views = { d: net.denoised, x, z, ...(h ? { h } : {}), coefficients, out: next };
  const move = await run.stage("step", ddimStep, { elements: run.total, corrected: h !== undefined }, views);
  const watch = await run.watch(next);
  await run.noise.prepare(z);
  await run.start(x, levels[0]!);
  for (let i = 0; i < steps; i++) {
    const sigma = levels[i]!;
    const target = levels[i + 1] ?? 0;
    const ratio = target / sigma;
    const fresh = settings.solver === "zeta" ? settings.zeta! : settings.eta! ** 2 * (1 - ratio * ratio);
    const c = Math.sqrt(fresh) * target;
    const q = ratio * Math.sqrt(1 - fresh);
    await net.evaluate(x, sigma, target);
    if (c > 0) await run.noise.fill(z);
    run.gpu.write(coefficients, Float32Array.of(1 - q, q, c));
    watch.begin(i + 1);
    await run.submit([move, watch.stage], [[next, x]]);
    await after(i + 1, next, watch);
  }
  return next;
}

/** Tells of values that are not finite, by their level: when the next one is under way, or with `debug` at once. */
export class LevelCheck {
  readonly #watches = new Set<FiniteWatch>();

  constructor(
    private readonly problem: Problem,
    private readonly net: { locateNonFinite(): Promise<string | undefined> },
    private readonly levels: Float64Array,
  ) {}

  /** @param watch has been recorded after the level. @returns for `Problem.step` */
  async after(watch: FiniteWatch): Promise<() => Promise<void>> {
    const { problem, net, levels } = this;
    this.#watches.add(watch);
    const where = (at: number) => `The step at noise level ${Number(levels[at - 1]!.toPrecision(6))} (level ${at - 1})`;
    const watches = [...this.#watches];
    const locate = () => net.locateNonFinite();
    if (problem.debug) for (const one of watches) await one.verify(where, levels.length, locate);
    const looks = watches.map((one) => one.look());
    return async () => {
      for (const look of looks) await look(where, levels.length);
    };
  }
}

/** Evaluations of the conditional denoiser. */
export const evaluationsOf = ({ solver }: SolverSettings, levels: number): number =>
  solver === "heun" ? 2 * levels - 1 : levels;

/** Draws of a run: x_0, those of G if there are any, churn or re-noising. */
export function drawsOf(settings: SolverSettings, levels: Float64Array, generative: boolean): number {
  const { solver, eta = 0, zeta = 0, S_churn = 0, S_min = 0, S_max = Number.POSITIVE_INFINITY } = settings;
  const inWindow = (level: number) => Math.fround(level) >= S_min && Math.fround(level) <= S_max;
  const churned = S_churn > 0 ? levels.filter(inWindow).length : 0;
  const renoised = (solver === "zeta" ? zeta : eta) > 0 ? levels.length - 1 : 0;
  const own = generative ? evaluationsOf(settings, levels.length) : 0;
  return 1 + own + (solver === "heun" ? churned : renoised);
}
