/** What the kernels that move particles share: parameters, inputs of their tests. */
import type { Case } from "../../src/gpu/contract.js";
import { fail, positiveNumber } from "./check.js";
import { bitsOf, packBox } from "./free-box.js";
import { testStates } from "./run-state.js";

export interface HmcParams {
  readonly runs: number;
  /** Of one run. */
  readonly particles: number;
  readonly dims: number;
  /** Unobserved coordinates: those that move. */
  readonly free: number;
  /** 1 / sigma_s^2: the log density is phi times this. */
  readonly scale: number;
}

/** Parameters of the kernels that draw. */
export interface DrawnParams extends HmcParams {
  /** Transitions per temperature, and which of them this is: they number the draws. */
  readonly moves: number;
  readonly transition: number;
  /** `draws` holds the bits of what is to be drawn, not the seeds. */
  readonly recorded: boolean;
}

export const hmcCounts = ({ runs, particles, dims, free }: HmcParams) => ({ runs, particles, dims, free });

export function checkHmc(kernel: string, params: HmcParams & Partial<DrawnParams>): void {
  const { dims, free, scale, moves, transition } = params;
  if (free > dims) fail(kernel, `free must be at most dims, ${dims}`, free);
  positiveNumber(kernel, "scale", scale);
  if (moves !== undefined && !(Number.isInteger(transition) && transition! >= 0 && transition! < moves))
    fail(kernel, `transition must be an integer from 0 to ${moves - 1}`, transition);
}

export const rowsOf = ({ runs, particles }: HmcParams) => runs * particles;

/** Extra numbers of a row of momenta: the kinetic energy at the start (in the end: the gain), and phi at the start. */
export const EXTRA = 2;

/**
 * The last coordinates free, a box that some particles have left, states of runs of which the second has ended; energies
 * and gradients such that logarithms of densities differ by numbers of order 1.
 */
export function hmcCase<P extends HmcParams & Partial<DrawnParams>>(
  name: string,
  params: P,
  [low, high] = [-1.5, 2],
): Case<P> {
  const { runs, dims, free, scale, recorded } = params;
  const inputs = (buffer: string, length: number, random: () => number): Float32Array | Uint32Array | undefined => {
    if (buffer === "box") {
      const indices = Array.from({ length: free }, (_, j) => dims - free + j);
      return packBox(indices, new Float32Array(free).fill(low), new Float32Array(free).fill(high));
    }
    if (buffer === "state")
      return testStates(runs, (run) => ({ count: 3, done: run === 1 ? 1 : 0, beta: 0.2 + 0.1 * run }));
    if (buffer === "draws")
      return recorded
        ? bitsOf(Float32Array.from({ length }, (_, i) => ((i * 37) % 101) / 101))
        : Uint32Array.from({ length }, (_, run) => 7 + run);
    if (buffer === "phi") return Float32Array.from({ length }, () => random() / scale);
    if (buffer === "o") return Float32Array.from({ length }, () => random() / Math.sqrt(scale));
    // The last number of a row is an energy.
    if (buffer === "m")
      return Float32Array.from({ length }, (_, i) => random() / (i % (free + EXTRA) === free + 1 ? scale : 1));
    return undefined;
  };
  return { name, params, inputs };
}
