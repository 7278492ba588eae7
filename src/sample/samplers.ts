import { counted } from "../errors.js";
import type { Denoiser, GenerativeDenoiser } from "../networks/session.js";
import { sampleHeun } from "./heun.js";
import { type SampleOptions, type SampleResult, sampleMultiStep } from "./multi-step.js";
import { noiseLevels } from "./schedule.js";

/** An option of a sampler as the command line knows it, under its name in the sampler's settings. */
export interface SamplerFlag {
  /** "--steps <n>" */
  readonly option: string;
  readonly help: string;
  /** A number within a range, the list of time steps, or the file of a second network. */
  readonly value:
    | {
        readonly number: {
          readonly min?: number;
          readonly max?: number;
          readonly above?: number;
          readonly infinity?: true;
        };
      }
    | { readonly integer: { readonly min: number; readonly max: number } }
    | { readonly list: "time steps" }
    | { readonly file: "network" };
}

/** Settings by name, as a run's record has them. */
export type Settings = Readonly<Record<string, unknown>>;

/** One line of the table: everything that commands, records and reports know of a sampler. */
export interface Sampler {
  readonly architecture: "edm2" | "ncvsd";
  /** Every setting with its default. */
  readonly settings: Settings;
  readonly flags: Readonly<Record<string, SamplerFlag>>;
  /** What settings contradict one another, in the command line's words; undefined: none do. */
  contradiction(settings: Settings): string | undefined;
  /** Network evaluations per image. */
  evaluations(settings: Settings): number;
  /** For people: "2 steps (10, 22)", "Heun, 32 steps". */
  label(settings: Settings): string;
  run(model: Denoiser & GenerativeDenoiser, settings: Settings, common: SampleOptions): Promise<SampleResult>;
}

const POSITIVE = { number: { above: 0 } };
const NOT_NEGATIVE = { number: { min: 0 } };

interface MultiStep {
  readonly ts: readonly number[] | null;
  readonly zeta: number;
}

const multiStep: Sampler = {
  architecture: "ncvsd",
  settings: { ts: null, zeta: 1 } satisfies MultiStep,
  flags: {
    ts: {
      option: "--ts <list>",
      help: "time steps, indices 0-38 into the 40-level schedule (default: one evaluation at init_sigma)",
      value: { list: "time steps" },
    },
    zeta: {
      option: "--zeta <x>",
      help: "share of fresh noise when re-noising, 0 to 1 (default: 1)",
      value: { number: { min: 0, max: 1 } },
    },
  },
  contradiction: () => undefined,
  evaluations: ({ ts }) => (ts as MultiStep["ts"])?.length ?? 1,
  label({ ts, zeta: share }) {
    const zeta = share === 1 ? "" : `, zeta ${share}`;
    return Array.isArray(ts)
      ? `${counted(ts.length, "step")} (${ts.join(", ")}${zeta})`
      : `1 step (at init_sigma${zeta})`;
  },
  run: (model, settings, common) => sampleMultiStep(model, { ...(settings as unknown as MultiStep), ...common }),
};

interface Heun {
  readonly steps: number;
  readonly sigmaMin: number;
  readonly sigmaMax: number;
  readonly rho: number;
  readonly guidance: number;
  readonly S_churn: number;
  readonly S_min: number;
  readonly S_max: number;
  readonly S_noise: number;
  readonly gnet: Denoiser | null;
}

const heun: Sampler = {
  architecture: "edm2",
  settings: {
    ...{ steps: 32, sigmaMin: 0.002, sigmaMax: 80, rho: 7, guidance: 1 },
    ...{ S_churn: 0, S_min: 0, S_max: Number.POSITIVE_INFINITY, S_noise: 1, gnet: null },
  } satisfies Heun,
  flags: {
    steps: {
      option: "--steps <n>",
      help: "noise levels; 2n-1 evaluations (default: 32)",
      value: { integer: { min: 1, max: 10000 } },
    },
    guidance: {
      option: "--guidance <g>",
      help: "guidance by a second network; 1 is none (default: 1)",
      value: { number: { min: -1000, max: 1000 } },
    },
    gnet: { option: "--gnet <file>", help: "the second network", value: { file: "network" } },
    S_churn: { option: "--S_churn <x>", help: "churn (default: 0)", value: NOT_NEGATIVE },
    S_min: { option: "--S_min <x>", help: "lowest level with churn (default: 0)", value: NOT_NEGATIVE },
    S_max: {
      option: "--S_max <x>",
      help: "highest level with churn (default: inf)",
      value: { number: { min: 0, infinity: true } },
    },
    S_noise: { option: "--S_noise <x>", help: "scale of the churn's noise (default: 1)", value: NOT_NEGATIVE },
    sigmaMin: { option: "--sigma_min <x>", help: "lowest noise level (default: 0.002)", value: POSITIVE },
    sigmaMax: { option: "--sigma_max <x>", help: "highest noise level (default: 80)", value: POSITIVE },
    rho: { option: "--rho <x>", help: "exponent of the schedule (default: 7)", value: POSITIVE },
  },
  contradiction(settings) {
    const { steps, sigmaMin, sigmaMax, rho, guidance, gnet, S_min, S_max } = settings as unknown as Heun;
    if (gnet && guidance === 1) return "--gnet does nothing at --guidance 1: give another guidance, or leave it out.";
    if (!gnet && guidance !== 1) return `--guidance ${guidance} needs a second network: name it with --gnet.`;
    if (sigmaMin >= sigmaMax) return `--sigma_min ${sigmaMin} must be below --sigma_max ${sigmaMax}.`;
    if (S_min > S_max) return `--S_min ${S_min} must not be above --S_max ${S_max}.`;
    noiseLevels({ steps, sigmaMin, sigmaMax, rho });
    return undefined;
  },
  evaluations: ({ steps, guidance }) => (2 * Number(steps) - 1) * (guidance === 1 ? 1 : 2),
  label({ steps, guidance, S_churn }) {
    const guided = guidance === 1 ? "" : `, guidance ${guidance}`;
    return `Heun, ${counted(Number(steps), "step")}${guided}${S_churn === 0 ? "" : `, churn ${S_churn}`}`;
  },
  run(model, settings, common) {
    const { gnet, ...own } = settings as unknown as Heun;
    return sampleHeun(model, { ...own, ...(gnet ? { gnet } : {}), ...common });
  },
};

/** Samplers of images from noise, by name; the first of an architecture is its default. */
export const samplers = { "multi-step": multiStep, heun } as const satisfies Record<string, Sampler>;
export type SamplerName = keyof typeof samplers;

export const isSampler = (name: unknown): name is SamplerName =>
  typeof name === "string" && Object.hasOwn(samplers, name);
