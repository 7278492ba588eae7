import { bad, counted, NcvsdError } from "../../errors.js";
import { type Gpu, mib } from "../../gpu/device.js";

/** A finite number within open bounds. */
export function numberOf(
  call: string,
  name: string,
  value: number,
  { above = -Infinity, below = Infinity }: { readonly above?: number; readonly below?: number } = {},
): number {
  if (typeof value === "number" && Number.isFinite(value) && value > above && value < below) return value;
  const lower = above === -Infinity ? "" : ` above ${above}`;
  const upper = below === Infinity ? "" : `${lower && " and"} below ${below}`;
  throw bad(`${call}: ${name} must be a number${lower}${upper}, got ${String(value)}.`);
}

/** A whole number from `least` to `most`. */
export function integerOf(call: string, name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw bad(`${call}: ${name} must be an integer from ${least} to ${most}, got ${String(value)}.`);
}

/** Particles of a run at most: an index of the resampling. */
const MAX_PARTICLES = 2 ** 22;

/**
 * Refuses particles that are too many for a buffer or the memory, before anything is made for them.
 * @param widest values of a particle in the largest buffer
 * @param all values of a particle in all buffers and arrays
 */
export function requireRoom(
  call: string,
  { device, info, memoryLimit = Number.POSITIVE_INFINITY }: Gpu,
  { runs, particles }: { readonly runs: number; readonly particles: number },
  { widest, all }: { readonly widest: number; readonly all: number },
): void {
  integerOf(call, "particles", particles, 1, MAX_PARTICLES);
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  const most = Math.min(maxStorageBufferBindingSize, maxBufferSize, memoryLimit);
  const fits = Math.floor(Math.min(most / (4 * widest), memoryLimit / (4 * all)) / runs);
  if (particles <= fits) return;
  const less = fits === 0 ? "take fewer runs" : `take at most ${fits} particles${runs > 1 ? ", or fewer runs" : ""}`;
  throw new NcvsdError(
    "OUT_OF_MEMORY",
    `${call}: ${counted(runs, "run")} of ${particles} particles need ${mib(4 * all * runs * particles)}, more than ${info.name} can hold: ${less}.`,
  );
}

/** The key of the generator. */
export const seedOf = (call: string, seed = 0) => integerOf(call, "seed", seed, 0, 2 ** 32 - 1);

/** beta of every step: one number for all, or one per step. */
export function betasOf(call: string, beta: number | ArrayLike<number>, steps: number): number[] {
  const betas = typeof beta === "number" ? new Array<number>(steps).fill(beta) : Array.from(beta);
  if (betas.length !== steps) throw bad(`${call}: beta has ${betas.length} entries for ${steps} steps.`);
  return betas.map((value) => numberOf(call, "beta", value, { above: 0 }));
}
