import { bad } from "../errors.js";
import { noiseLevels } from "./schedule.js";

/** How a posterior sampler's noise levels are spaced. */
export const SCHEDULES = ["karras", "ddpm", "ddpm-quad"] as const;
export type Schedule = (typeof SCHEDULES)[number];

export interface LevelOptions {
  /** The evaluated levels themselves, descending and positive; an explicit last 0 means the same. In place of all others. */
  readonly sigmas?: ArrayLike<number> | null;
  /** "karras": EDM's formula; "ddpm": the levels of a linear DDPM, evenly spaced; "ddpm-quad": the same, spaced as DiffPIR's. */
  readonly schedule?: Schedule;
  /** Number of levels, and of steps: a last step goes to level 0. */
  readonly steps?: number;
  /** Lowest and highest level of karras; with the others, levels outside are left out. */
  readonly sigmaMin?: number | null;
  readonly sigmaMax?: number | null;
  /** Exponent of karras. */
  readonly rho?: number;
}

/**
 * T_j = sqrt((1 - a_j) / a_j), a_j = prod_{i <= j} (1 - b_i), b from 1e-4 to 0.02 in 1000 equal steps (Ho et al. 2020):
 * the noise levels 0.0100 to 157.4 of a variance-preserving process, ascending.
 */
function ddpmLevels(): Float64Array {
  const count = 1000;
  const levels = new Float64Array(count);
  let kept = 1;
  for (let i = 0; i < count; i++) {
    kept *= 1 - (1e-4 + (i * (0.02 - 1e-4)) / (count - 1));
    levels[i] = Math.sqrt((1 - kept) / kept);
  }
  return levels;
}

/** More of them than this, and two neighbours would fall on one level. */
const MOST = { ddpm: 1000, "ddpm-quad": 501 };

/**
 * The evaluated levels in float64, descending, without the final 0 (N levels, N steps).
 * @throws NcvsdError BAD_ARGUMENT
 */
export function samplingLevels(options: LevelOptions): Float64Array {
  const { sigmas, schedule = "karras", steps = 50, rho = 7 } = options;
  if (sigmas) return given(sigmas, true);
  if (schedule === "karras") {
    const { sigmaMin, sigmaMax } = options;
    return noiseLevels({ steps, sigmaMin: sigmaMin ?? 0.01, sigmaMax: sigmaMax ?? 80, rho });
  }
  if (!SCHEDULES.includes(schedule))
    throw bad(`schedule must be one of ${SCHEDULES.join(", ")}, got ${String(schedule)}.`);
  const most = MOST[schedule];
  if (!Number.isInteger(steps) || steps < 1 || steps > most)
    throw bad(`steps must be an integer from 1 to ${most} with the schedule ${schedule}, got ${String(steps)}.`);
  const all = ddpmLevels();
  const last = all.length - 1;
  const index = schedule === "ddpm" ? evenly : quadratically;
  const levels = Float64Array.from({ length: steps }, (_, i) => all[last - index(i, steps)]!);
  const { sigmaMin, sigmaMax } = options;
  for (const [name, value] of Object.entries({ sigmaMin, sigmaMax }))
    if (value !== undefined && value !== null && !(value > 0 && Number.isFinite(value)))
      throw bad(`${name} must be positive and finite, got ${String(value)}.`);
  const [low, high] = [sigmaMin ?? 0, sigmaMax ?? Number.POSITIVE_INFINITY];
  const kept = levels.filter((level) => level >= low && level <= high);
  if (kept.length === 0)
    throw bad(`No level of the schedule ${schedule} lies from sigmaMin ${low} to sigmaMax ${high}: widen the range.`);
  return kept;
}

/** 999 - round(k 999 / (n - 1)), k = n - 1 - i, halves to the even neighbour: the respacing of DPS. */
function evenly(i: number, n: number): number {
  if (n === 1) return 0;
  const exact = ((n - 1 - i) * 999) / (n - 1);
  const below = Math.floor(exact);
  const half = exact - below === 0.5;
  return 999 - (half ? below + (below % 2) : Math.round(exact));
}

/** floor(sqrt(i 1000^2 / (n - 1))), the last one less by 1: the "quad" spacing of DiffPIR. */
function quadratically(i: number, n: number): number {
  if (n === 1) return 0;
  return i === n - 1 ? 999 : Math.floor(Math.sqrt((i * 1e6) / (n - 1)));
}

/**
 * Levels that the caller chose.
 * @param strictly must they descend, or only not rise?
 */
export function given(sigmas: ArrayLike<number>, strictly: boolean): Float64Array {
  const isList = typeof sigmas === "object" && sigmas !== null && Number.isInteger(sigmas.length);
  if (!isList) throw bad(`sigmas must be a list of noise levels, got ${String(sigmas)}.`);
  const list = Float64Array.from(sigmas);
  const levels = strictly && list.length > 1 && list.at(-1) === 0 ? list.subarray(0, -1) : list;
  if (levels.length === 0) throw bad("sigmas is empty: give at least one noise level.");
  levels.forEach((level, i) => {
    if (!(Math.fround(level) > 0 && Number.isFinite(Math.fround(level))))
      throw bad(`sigmas: level ${i} is ${level}: levels must be positive and finite (only a last 0 may follow).`);
    if (i > 0 && (strictly ? level >= levels[i - 1]! : level > levels[i - 1]!))
      throw bad(
        `sigmas must ${strictly ? "descend strictly" : "not rise"}: level ${i} is ${level} after ${levels[i - 1]}.`,
      );
  });
  return levels;
}
