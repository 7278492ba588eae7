/** What the kernels of tempering share. */
import type { Case, Inputs, SourcePart } from "../../src/gpu/contract.js";
import exp from "./exp.wgsl.js";
import { runState, STATE, STATE_LENGTH, testStates } from "./run-state.js";
import text from "./temper.wgsl.js";

export interface TemperingParams {
  readonly runs: number;
  /** Of one run. */
  readonly particles: number;
  /** 1 / sigma_s^2: the log density is phi times this. */
  readonly scale: number;
}

export const temperingParts: readonly SourcePart[] = [
  runState,
  { file: "kernels/lib/exp.wgsl", text: exp },
  { file: "kernels/lib/temper.wgsl", text },
];

/** State of a run and log densities of its particles, relative to their largest (sign -1: least). */
export function runOf(params: TemperingParams, { phi, state }: Inputs, run: number, sign = 1) {
  const { particles, scale } = params;
  const ell = Array.from({ length: particles }, (_, i) => phi![run * particles + i]! * scale);
  const top = sign * ell.reduce((a, v) => Math.max(a, sign * v), -Infinity);
  const of = (name: keyof typeof STATE) => state![run * STATE_LENGTH + STATE[name]]!;
  return { of, top, ell: ell.map((v) => v - top) };
}

/** Particles whose log densities spread by `spread`; of three runs one has ended, one is near its end. */
export function temperingCase<P extends TemperingParams>(name: string, params: P, spread: number): Case<P> {
  const { runs, scale } = params;
  const states = [
    { beta: 0, count: -1 },
    { beta: 1, count: 4 },
    { beta: 0.97, count: 3 },
  ];
  const inputs = (buffer: string, length: number, random: () => number) => {
    if (buffer === "phi") return Float32Array.from({ length }, () => ((random() - 3) * spread) / scale);
    if (buffer === "state") return testStates(runs, (run) => ({ delta: 0.02, ...states[run % 3] }));
    return undefined;
  };
  return { name, params, inputs };
}
