import { bad } from "../../errors.js";

/** Share of the evaluations that are made below TOP_OF_NOISE sigmaY, and where those end, in sigmaY. */
const LOW_SHARE = 0.85;
const LOW_FROM = 8;
const LOW_TO = 0.25;

/**
 * Levels with which PnP-GD's results spread as the posterior does, at the evaluations of the paper's schedule: a result lies off the
 * measurement by what the last evaluated level adds, and by what the levels before left unmixed, so that most of them belong
 * around the measurement's noise. Measured in docs/calibration.md. To be used without averaging (emaDecay 0), and with beta 2 sigmaY^2.
 * @param options steps: number of levels, default 50, one more than evaluations; sigmaY: deviation of the measurement's noise
 * @returns descending levels for `sigmas`
 */
export function calibratedLevels(options: {
  readonly sigmaY: number;
  readonly steps?: number;
  readonly sigmaMax?: number;
}): number[] {
  const { sigmaY, steps = 50, sigmaMax = 80 } = options;
  if (!Number.isInteger(steps) || steps < 4)
    throw bad(`calibratedLevels: steps must be an integer of at least 4, got ${steps}.`);
  const low = Math.min(steps - 2, Math.round(LOW_SHARE * (steps - 1)));
  const high = steps - 1 - low;
  const knee = Math.min(LOW_FROM * sigmaY, sigmaMax / 2);
  const falling = (count: number, from: number, to: number, last: number) =>
    Array.from({ length: count }, (_, i) => from * (to / from) ** (i / last));
  // One level more goes on at the same rate: the likelihood step towards it is not used.
  return [...falling(high, sigmaMax, knee, high), ...falling(low + 1, knee, LOW_TO * sigmaY, low - 1)];
}
