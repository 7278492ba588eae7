import { NcvsdError } from "../errors.js";
import type { RestoreTask } from "../operators/tasks.js";
import { type UlaSettings, ulaSettings } from "./langevin.js";
import { noiseLevels } from "./schedule.js";

/** What the command line says about the sampler. */
export interface SamplerFlags {
  readonly steps?: number;
  readonly sigmaMin?: number;
  readonly sigmaMax?: number;
  readonly rho?: number;
  readonly beta?: number;
  readonly emaSigma?: number;
  readonly emaDecay?: number;
  readonly ts?: readonly number[];
  readonly c1?: number;
  readonly c2?: number;
  readonly ulaSteps?: number;
}

/** The sampler's arguments, as `solveInverse` takes them. */
export interface SamplerSettings {
  readonly sigmas: Float64Array;
  readonly beta: number;
  readonly emaSigma: number;
  readonly emaDecay: number;
  readonly ts: readonly number[] | null;
  readonly ula: UlaSettings | null;
}

/** The task's settings in the paper with the command line's changes. */
export function samplerSettings(task: RestoreTask, flags: SamplerFlags, sigmaY: number): SamplerSettings {
  const preset = task.settings;
  // Tasks with recorded Langevin settings keep them.
  const langevin = task.operator.sampleProximal === undefined || preset.ula !== undefined;
  const { c1, c2, ulaSteps } = flags;
  for (const [flag, value] of Object.entries({ "--c1": c1, "--c2": c2, "--ula-steps": ulaSteps })) {
    if (value !== undefined && !langevin)
      throw new NcvsdError(
        "BAD_ARGUMENT",
        `${flag} is for Langevin steps, but the likelihood step of ${task.name} has a closed form: leave it out`,
      );
  }
  const schedule = {
    steps: flags.steps ?? preset.steps,
    sigmaMin: flags.sigmaMin ?? preset.sigmaMin,
    sigmaMax: flags.sigmaMax ?? preset.sigmaMax,
    rho: flags.rho ?? preset.rho,
  };
  if (schedule.sigmaMin >= schedule.sigmaMax)
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `--sigma-min ${schedule.sigmaMin} must be below --sigma-max ${schedule.sigmaMax}`,
    );
  return {
    sigmas: noiseLevels(schedule),
    beta: flags.beta ?? preset.beta * (sigmaY / preset.sigmaY) ** 2,
    emaSigma: flags.emaSigma ?? preset.emaSigma,
    emaDecay: flags.emaDecay ?? preset.emaDecay,
    ts: flags.ts ?? null,
    ula: langevin ? ulaSettings({ ...preset.ula, ...given({ c1, c2, steps: ulaSteps }) }) : null,
  };
}

/** The entries that are there. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== undefined)) as never;
}

/** Network evaluations of one sample. */
export function evaluations({ sigmas, ts }: SamplerSettings): number {
  return (sigmas.length - 1) * (ts?.length ?? 1);
}
