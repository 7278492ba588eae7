import { bad, checkKeys } from "../../errors.js";
import { checkChurn } from "../heun.js";
import { given as givenLevels, type LevelOptions, SCHEDULES, samplingLevels } from "../levels.js";
import type { Settings } from "../samplers.js";
import type { SettingFlag } from "./sampler.js";

const POSITIVE = { number: { above: 0 } };
const SHARE = { number: { min: 0, max: 1 } };
const NOT_NEGATIVE = { number: { min: 0 } };

/** Of a sampler whose levels are noise levels. */
export const LEVEL_FLAGS: readonly SettingFlag[] = [
  {
    setting: "steps",
    option: "--steps <n>",
    help: "noise levels, and steps",
    value: { integer: { min: 1, max: 10000 } },
  },
  {
    setting: "schedule",
    option: "--schedule <name>",
    help: `how levels are spaced: ${SCHEDULES.join(", ")}`,
    value: { choice: Object.fromEntries(SCHEDULES.map((name) => [name, name])) },
  },
  { setting: "sigmaMin", option: "--sigma-min <x>", help: "lowest noise level", value: POSITIVE },
  { setting: "sigmaMax", option: "--sigma-max <x>", help: "highest noise level", value: POSITIVE },
  { setting: "rho", option: "--rho <x>", help: "exponent of the schedule karras", value: POSITIVE },
];

/** The level settings of a sampler, with the changes of its own defaults. */
export const levelDefaults = (own: LevelOptions): Settings => ({
  ...{ sigmas: null, schedule: "karras", steps: 50, sigmaMin: null, sigmaMax: null, rho: 7 },
  ...own,
});

const LEVELS = ["sigmas", "schedule", "steps", "sigmaMin", "sigmaMax", "rho"] as const;

/** Which of a list of settings the caller gave; null counts as absent. */
function givenOf<T extends string>(settings: Settings, names: readonly T[]): T[] {
  return names.filter((name) => settings[name] !== undefined && settings[name] !== null);
}

/**
 * The level settings of a run: `sigmas` alone, or what makes them.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function completeLevels(given: Settings, defaults: Settings): Settings {
  const chosen = givenOf(given, LEVELS);
  if (chosen.includes("sigmas")) {
    const other = chosen.find((name) => name !== "sigmas");
    if (other)
      throw bad(`solveInverse: sigmas are the levels themselves, so ${other} says nothing: give one or the other.`);
    return { sigmas: Array.from(givenLevels(given.sigmas as number[], true)) };
  }
  const schedule = given.schedule ?? defaults.schedule;
  if (schedule === "karras") {
    const { sigmaMin, sigmaMax, steps, rho } = { ...defaults, ...pick(given, chosen) } as LevelOptions;
    return whole({ schedule, steps, sigmaMin: sigmaMin ?? 0.01, sigmaMax: sigmaMax ?? 80, rho });
  }
  if (chosen.includes("rho"))
    throw bad(`solveInverse: rho belongs to the schedule karras, and this one is ${String(schedule)}: leave it out.`);
  const steps = given.steps ?? defaults.steps;
  return whole({ schedule, steps, ...pick(given, givenOf(given, ["sigmaMin", "sigmaMax"])) });
}

/** Levels that cannot be made are told of at once. */
function whole(settings: Settings): Settings {
  samplingLevels(settings as LevelOptions);
  return settings;
}

const pick = (settings: Settings, names: readonly string[]): Settings =>
  Object.fromEntries(names.map((name) => [name, settings[name]]));

/** How a step goes from level to level, with the settings of each way. */
const SOLVERS: Readonly<Record<string, readonly string[]>> = {
  heun: ["S_churn", "S_min", "S_max", "S_noise"],
  ddim: ["eta"],
  zeta: ["zeta"],
};

export interface SolverSettings {
  readonly solver: "heun" | "ddim" | "zeta";
  readonly eta?: number;
  readonly zeta?: number;
  readonly S_churn?: number;
  readonly S_min?: number;
  readonly S_max?: number;
  readonly S_noise?: number;
}

/** The solver's settings of a sampler, with the changes of its own defaults. */
export const solverDefaults = (own: SolverSettings & { readonly clip: boolean }): Settings => ({
  ...{ eta: 1, zeta: 0.3, S_churn: 0, S_min: 0, S_max: Number.POSITIVE_INFINITY, S_noise: 1 },
  ...own,
});

export const SOLVER_FLAGS: readonly SettingFlag[] = [
  {
    setting: "solver",
    option: "--solver <name>",
    help: "how steps are made: heun, ddim (with --eta), zeta (with --zeta)",
    value: { choice: Object.fromEntries(Object.keys(SOLVERS).map((name) => [name, name])) },
  },
  { setting: "eta", option: "--eta <x>", help: "0 to 1: 0 deterministic, 1 ancestral", value: SHARE },
  { setting: "zeta", option: "--zeta <x>", help: "share of fresh noise, 0 to 1", value: SHARE },
  { setting: "S_churn", option: "--S_churn <x>", help: "churn of heun", value: NOT_NEGATIVE },
  { setting: "S_min", option: "--S_min <x>", help: "lowest level with churn", value: NOT_NEGATIVE },
  {
    setting: "S_max",
    option: "--S_max <x>",
    help: "highest level with churn",
    value: { number: { min: 0, infinity: true } },
  },
  { setting: "S_noise", option: "--S_noise <x>", help: "scale of the churn's noise", value: NOT_NEGATIVE },
  { setting: "clip", option: "--clip", help: "cut estimates to [-1, 1]", value: { is: true } },
  { setting: "clip", option: "--no-clip", help: "do not", value: { is: false } },
];

export const SIGMA_PRIOR_FLAG: SettingFlag = {
  setting: "sigmaPrior",
  option: "--sigma-prior <x>",
  help: "standard deviation of images: the error of D is taken as s sigmaPrior / sqrt(s^2 + sigmaPrior^2)",
  value: { number: { above: 0 } },
};

/**
 * The settings of a run's solver; those of the others are refused.
 * @throws NcvsdError BAD_ARGUMENT
 */
export function completeSolver(given: Settings, defaults: Settings): SolverSettings & { readonly clip: boolean } {
  const solver = (given.solver ?? defaults.solver) as SolverSettings["solver"];
  const own = Object.hasOwn(SOLVERS, solver) ? SOLVERS[solver] : undefined;
  if (!own) throw bad(`solver must be one of ${Object.keys(SOLVERS).join(", ")}, got ${String(solver)}.`);
  for (const [other, names] of Object.entries(SOLVERS)) {
    const [foreign] = other === solver ? [] : givenOf(given, names);
    if (foreign) throw bad(`solveInverse: ${foreign} belongs to the solver ${other}, and this one is ${solver}.`);
  }
  const settings = { solver, ...pick({ ...defaults, ...pick(given, givenOf(given, own)) }, own) } as SolverSettings;
  for (const name of ["eta", "zeta"] as const) {
    const value = settings[name];
    if (value !== undefined && !(value >= 0 && value <= 1))
      throw bad(`${name} must be from 0 to 1, got ${String(value)}.`);
  }
  checkChurn(settings);
  return { ...settings, clip: completeFlag("clip", given, defaults) };
}

/** A setting that is true or false. */
export function completeFlag(name: string, given: Settings, defaults: Settings): boolean {
  const value = given[name] ?? defaults[name];
  if (typeof value !== "boolean") throw bad(`${name} must be true or false, got ${String(value)}.`);
  return value;
}

/** A group of settings such as `mcmc: { … }`, with the defaults of those that are absent. */
export function completeGroup(name: string, given: Settings, defaults: Settings): Settings {
  const own = given[name] ?? {};
  const all = defaults[name] as Settings;
  checkKeys(`solveInverse: ${name}`, own as Settings, Object.fromEntries(Object.keys(all).map((key) => [key, true])));
  const chosen = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...all, ...Object.fromEntries(chosen) };
}

/** One of a few words. */
export function checkWord<T extends string>(name: string, value: unknown, words: readonly T[]): T {
  if (words.includes(value as T)) return value as T;
  throw bad(`${name} must be one of ${words.join(", ")}, got ${String(value)}.`);
}
