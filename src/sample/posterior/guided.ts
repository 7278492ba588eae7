import type { Operator } from "../../operators/operator.js";
import { type LevelOptions, samplingLevels } from "../levels.js";
import type { Run } from "../run.js";
import type { Settings } from "../samplers.js";
import type { ConditionalDenoiser } from "./conditional.js";
import type { Case, PosteriorSampler, Problem } from "./sampler.js";
import { completeLevels, completeSolver, LEVEL_FLAGS, SOLVER_FLAGS, type SolverSettings } from "./settings.js";
import { drawsOf, evaluationsOf, solve } from "./solvers.js";

/** What a sampler says that is an ordinary solver around a conditional denoiser; the rest of its entry follows. */
export interface Guided
  extends Pick<PosteriorSampler, "name" | "title" | "architectures" | "settings" | "flags" | "lacks"> {
  /** Defaults that are others for an operator. */
  defaults?(operator: Operator): Settings;
  /**
   * Its own settings, checked, from those that are given and the defaults.
   * @param run what solver and clip are in this run
   */
  own(given: Settings, defaults: Settings, run: SolverSettings & { readonly clip: boolean }): Settings;
  /** Vector-Jacobian products of one evaluation; absent: none. */
  derivatives?(settings: Settings): number;
  /** @param settings complete ones */
  open(run: Run, problem: Problem, settings: Settings): Promise<ConditionalDenoiser>;
}

/** The entry of a sampler that is a solver around a conditional denoiser. */
export function guided(spec: Guided): PosteriorSampler {
  const { name, title, architectures, settings, flags } = spec;
  const levelsOf = (s: Settings) => samplingLevels(s as LevelOptions);
  const solverOf = (s: Settings) => s as unknown as SolverSettings;
  const evaluations = (s: Settings) => evaluationsOf(solverOf(s), levelsOf(s).length);
  return {
    name,
    title,
    architectures,
    settings,
    flags: [...flags, ...LEVEL_FLAGS, ...SOLVER_FLAGS],
    lacks: (operator) => spec.lacks(operator),
    complete(given, { operator }: Case) {
      const defaults = { ...settings, ...spec.defaults?.(operator) };
      const solver = completeSolver(given, defaults);
      return { ...spec.own(given, defaults, solver), ...solver, ...completeLevels(given, defaults) };
    },
    evaluations,
    derivatives: (s) => evaluations(s) * (spec.derivatives?.(s) ?? 0),
    draws: (s, { generative }) => drawsOf(solverOf(s), levelsOf(s), generative),
    async run(run, problem, s) {
      return solve(run, problem, await spec.open(run, problem, s), levelsOf(s), solverOf(s));
    },
  };
}
