import { bad } from "../errors.js";
import type { Denoiser, GenerativeDenoiser } from "../networks/session.js";
import type { RestoreTask } from "../operators/tasks.js";
import { type UlaSettings, ulaSettings } from "./langevin.js";
import { calibratedLevels } from "./posterior/calibrated.js";
import { withStableStep } from "./posterior/daps.js";
import type { PosteriorSampler } from "./posterior/sampler.js";
import { type PosteriorSamplerName, posteriorSamplers } from "./posterior/samplers.js";
import type { Settings } from "./samplers.js";
import { checkCase } from "./solve-inverse.js";

/** Whose settings of a task are taken, where they differ. */
export const SETTINGS_OF = ["paper", "reference", "calibrated"] as const;
export type SettingsOf = (typeof SETTINGS_OF)[number];

/** A sampler with its settings for one task. */
export interface TaskSampler {
  readonly name: PosteriorSamplerName;
  /** For sheets and tables: "DiffPIR". */
  readonly title: string;
  /** Complete, as `solveInverse` takes them and as records have them. */
  readonly settings: Settings;
  /** Network evaluations, and vector-Jacobian products, of one sample. */
  readonly evaluations: number;
  readonly derivatives: number;
}

/**
 * The sampler that is taken where none is named: PnP-GD with a distilled network; with a teacher DiffPIR where the operator has a
 * posterior mean, else DAPS.
 */
export function defaultSampler(
  model: Denoiser | GenerativeDenoiser,
  { operator }: Pick<RestoreTask, "operator">,
): PosteriorSamplerName {
  if ((model as { architecture?: string }).architecture === "ncvsd") return "pnp-gd";
  return posteriorSamplers.diffpir.lacks(operator) ? "daps" : "diffpir";
}

/**
 * The settings of a sampler for a task: those that are given, else the task's, where its authors (or ours) chose some, else the
 * sampler's own defaults.
 * @throws NcvsdError BAD_ARGUMENT, also where the sampler cannot do with the network or the operator
 */
export function samplerSettings(
  task: RestoreTask,
  model: Denoiser | GenerativeDenoiser,
  name: PosteriorSamplerName,
  asked: { readonly given: Settings; readonly of?: SettingsOf; readonly sigmaY: number },
): TaskSampler {
  const sampler: PosteriorSampler = posteriorSamplers[name];
  const generative = checkCase(sampler, model, task.operator);
  const { given, sigmaY } = asked;
  checkLikelihood(task, name, given);
  const of = asked.of ?? "paper";
  const own = name === "pnp-gd" ? annealing(task, of, sigmaY, given) : authors(task, name, of, given);
  const all = merged(own, given);
  const chosen = name !== "daps" || (given.mcmc as Settings | undefined)?.step !== undefined;
  const settings = sampler.complete(chosen ? all : withStableStep(all, task.operator), {
    ...{ operator: task.operator, generative },
  });
  return {
    name,
    title: sampler.title.split(" (")[0]!,
    settings,
    evaluations: sampler.evaluations(settings),
    derivatives: sampler.derivatives(settings),
  };
}

/** Langevin steps are taken where they are asked for, and where there is no other way. */
const takesLangevin = ({ operator }: RestoreTask, given: Settings) =>
  (given.langevin ?? operator.sampleProximal === undefined) === true;

function checkLikelihood(task: RestoreTask, name: PosteriorSamplerName, given: Settings): void {
  if (given.langevin === false && task.operator.sampleProximal === undefined)
    throw bad(`--likelihood exact: ${task.name} has no exact likelihood step, leave the option out`);
  if (takesLangevin(task, given)) return;
  const why = `for Langevin steps, but the likelihood step of ${task.name} is exact: leave them out, or say --likelihood langevin`;
  if (given.ula !== undefined) throw bad(`--c1, --c2 and --ula-steps are ${why}`);
  if (name === "pnp-dm" && given.mcmc !== undefined) throw bad(`--mcmc-steps and --step are ${why}`);
}

/** PnP-GD: the paper's table or the reference's; beta follows the noise. */
function annealing(task: RestoreTask, of: SettingsOf, sigmaY: number, given: Settings): Settings {
  if (of === "calibrated") return calibrated(task, sigmaY, given);
  const preset = task.settings[of];
  if (!preset) throw bad(`--settings ${of}: there are none of pnp-gd for ${task.name}, leave the option out`);
  const { beta, sigmaY: assumed, ula, ...rest } = preset;
  return {
    ...rest,
    beta: beta * (sigmaY / assumed) ** 2,
    ...(takesLangevin(task, given) ? { ula: stable(ulaSettings(ula ?? {}), task.operator.curvature) } : {}),
  };
}

/** PnP-GD with levels around the measurement's noise, of as many evaluations; beta is that of the noise, and nothing is averaged. */
function calibrated(task: RestoreTask, sigmaY: number, given: Settings): Settings {
  for (const [name, option] of Object.entries({ sigmaMin: "--sigma-min", rho: "--rho" }))
    if (given[name] !== undefined) throw bad(`--settings calibrated chooses the noise levels: leave ${option} out`);
  const { steps, sigmaMax } = given as { steps?: number; sigmaMax?: number };
  const levels = { sigmaY, ...(steps === undefined ? {} : { steps }), ...(sigmaMax === undefined ? {} : { sigmaMax }) };
  const ula = task.settings.paper.ula ?? {};
  return {
    sigmas: calibratedLevels(levels),
    ...(takesLangevin(task, given) ? { ula: stable(ulaSettings(ula), task.operator.curvature) } : {}),
  };
}

/** Langevin steps that an operator's curvature would let grow without bound are shortened to half of what it bears. */
function stable(ula: UlaSettings, curvature = 0): UlaSettings {
  if ("step" in ula || (ula.c1 / ula.c2) * curvature < 2) return ula;
  return { ...ula, c1: ula.c2 / curvature };
}

/** The others: what their authors chose for such a task. */
function authors(task: RestoreTask, name: PosteriorSamplerName, of: SettingsOf, given: Settings): Settings {
  if (of !== "paper") throw bad(`--settings ${of}: there are none of ${name} for ${task.name}, leave the option out`);
  const mcmc = given.mcmc as Settings | undefined;
  const chosen = task.samplers[mcmc?.algorithm === "hmc" ? `${name} hmc` : name] ?? {};
  // A solver's setting belongs to that solver alone.
  const { zeta, ...others } = chosen;
  return zeta === undefined || given.solver !== undefined ? others : chosen;
}

/** Settings over settings, group by group. */
function merged(below: Settings, above: Settings): Settings {
  const out: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const under = out[key];
    const groups = [under, value].every((v) => typeof v === "object" && v !== null && !Array.isArray(v));
    out[key] = groups ? { ...(under as Settings), ...(value as Settings) } : value;
  }
  return out;
}
