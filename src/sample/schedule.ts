import { NcvsdError } from "../errors.js";

/** The grid of the multi-step sampler (NCVSD, section 4.1): N = 40 levels from 80 to 0.002 with rho = 7. */
export const MULTI_STEP_LEVELS = 40;

export interface ScheduleOptions {
  /** Number of levels, at least 1. */
  readonly steps: number;
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly rho: number;
}

/** s_i = (s_max^(1/rho) + i/(N-1) (s_min^(1/rho) - s_max^(1/rho)))^rho, i = 0..N-1, descending (NCVSD, eq. 42; EDM, eq. 5). */
export function noiseLevels({ steps, sigmaMin, sigmaMax, rho }: ScheduleOptions): Float64Array {
  const positive = { sigmaMin, sigmaMax, rho };
  for (const [name, value] of Object.entries(positive)) {
    if (!(value > 0 && Number.isFinite(value)))
      throw new NcvsdError("BAD_ARGUMENT", `${name} must be positive and finite, got ${value}.`);
  }
  if (sigmaMin > sigmaMax)
    throw new NcvsdError("BAD_ARGUMENT", `sigmaMin ${sigmaMin} must not be above sigmaMax ${sigmaMax}.`);
  if (!Number.isInteger(steps) || steps < 1 || steps > 100_000) {
    throw new NcvsdError("BAD_ARGUMENT", `steps must be an integer from 1 to 100000, got ${steps}.`);
  }
  const high = sigmaMax ** (1 / rho);
  const low = sigmaMin ** (1 / rho);
  const levels = Float64Array.from(
    { length: steps },
    (_, i) => (high + (steps === 1 ? 0 : i / (steps - 1)) * (low - high)) ** rho,
  );
  const wrong = levels.find((level) => !(Math.fround(level) > 0 && Math.fround(level) < Number.POSITIVE_INFINITY));
  if (wrong !== undefined) {
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `sigmaMin ${sigmaMin}, sigmaMax ${sigmaMax} and rho ${rho} give a noise level of ${wrong}, which 32-bit floats cannot hold: use milder ones.`,
    );
  }
  return levels;
}

/** Level of an index into the multi-step grid. */
export function multiStepLevel(index: number): number {
  return noiseLevels({ steps: MULTI_STEP_LEVELS, sigmaMin: 0.002, sigmaMax: 80, rho: 7 })[index]!;
}

/**
 * The time steps that are evaluated: strictly increasing indices 0..38. A trailing 39, which the reference wants and
 * never evaluates, means the same and is dropped.
 */
export function evaluatedSteps(ts: readonly number[]): number[] {
  const last = MULTI_STEP_LEVELS - 1;
  const steps = ts.length > 1 && ts.at(-1) === last ? ts.slice(0, -1) : [...ts];
  if (steps.length === 0)
    throw new NcvsdError("BAD_ARGUMENT", "ts is empty: give indices from 0 to 38, such as 10,22.");
  steps.forEach((t, i) => {
    if (!Number.isInteger(t) || t < 0 || t >= last) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `ts has ${t}: every time step is an index from 0 to ${last - 1} (a trailing ${last} is allowed).`,
      );
    }
    if (i > 0 && t <= steps[i - 1]!) {
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `ts ${steps.join(",")} must increase strictly: ${t} follows ${steps[i - 1]}.`,
      );
    }
  });
  return steps;
}
