import type { Command } from "commander";
import { NcvsdError } from "../../errors.js";
import type { Gpu } from "../../gpu/device.js";
import type { Model } from "../../networks/edm2/model.js";
import { parseInteger, parseNumber, parseTs, parseZeta } from "../../runs/args.js";
import type { GenerateTask } from "../../runs/generate.js";
import type { Options } from "../../runs/output.js";
import type { Stopwatch } from "../../runs/stopwatch.js";
import { noiseLevels } from "../../sample/schedule.js";
import { loadNetwork } from "./engine.js";

/** Options that say how images are sampled, under the reference's names. */
export interface SamplerFlags {
  ts?: number[];
  zeta?: number;
  steps?: number;
  guidance?: number;
  gnet?: string;
  S_churn?: number;
  S_min?: number;
  S_max?: number;
  S_noise?: number;
  sigma_min?: number;
  sigma_max?: number;
  rho?: number;
}

const HEUN_FLAGS = [
  "steps",
  "guidance",
  "gnet",
  "S_churn",
  "S_min",
  "S_max",
  "S_noise",
  "sigma_min",
  "sigma_max",
  "rho",
] as const;
const MULTI_STEP_FLAGS = ["ts", "zeta"] as const;

/** Adds the options of both samplers to a command. */
export function addSamplerOptions(command: Command): Command {
  const positive = { above: 0 };
  const number = (name: string, rule: Parameters<typeof parseNumber>[2]) => (text: string) =>
    parseNumber(text, name, rule);
  return command
    .optionsGroup("NCVSD:")
    .option(
      "--ts <list>",
      "time steps, indices 0-38 into the 40-level schedule (default: one evaluation at init_sigma)",
      (t: string) => parseTs(t),
    )
    .option("--zeta <x>", "share of fresh noise when re-noising, 0 to 1 (default: 1)", (t: string) => parseZeta(t))
    .optionsGroup("EDM2:")
    .option("--steps <n>", "noise levels; 2n-1 evaluations (default: 32)", (t: string) =>
      parseInteger(t, "--steps", { min: 1, max: 10000 }),
    )
    .option(
      "--guidance <g>",
      "guidance by a second network; 1 is none (default: 1)",
      number("--guidance", { min: -1000, max: 1000 }),
    )
    .option("--gnet <file>", "the second network")
    .option("--S_churn <x>", "churn (default: 0)", number("--S_churn", { min: 0 }))
    .option("--S_min <x>", "lowest level with churn (default: 0)", number("--S_min", { min: 0 }))
    .option("--S_max <x>", "highest level with churn (default: inf)", number("--S_max", { min: 0, infinity: true }))
    .option("--S_noise <x>", "scale of the churn's noise (default: 1)", number("--S_noise", { min: 0 }))
    .option("--sigma_min <x>", "lowest noise level (default: 0.002)", number("--sigma_min", positive))
    .option("--sigma_max <x>", "highest noise level (default: 80)", number("--sigma_max", positive))
    .option("--rho <x>", "exponent of the schedule (default: 7)", number("--rho", positive));
}

export interface ChosenSampler {
  readonly sampler: GenerateTask["sampler"];
  /** What of it decides an image, for the record and the fingerprint. */
  readonly deciding: Options;
}

/**
 * The sampler that a checkpoint's architecture and the options ask for.
 * @throws NcvsdError BAD_ARGUMENT for options of the other architecture, or that contradict one another
 */
export async function chooseSampler(
  gpu: Gpu,
  model: Model,
  flags: SamplerFlags,
  watch: Stopwatch,
  silent: boolean,
): Promise<ChosenSampler> {
  const teacher = model.architecture === "edm2";
  for (const name of teacher ? MULTI_STEP_FLAGS : HEUN_FLAGS) {
    if (flags[name] === undefined) continue;
    const [is, other] = teacher ? ["an EDM2 teacher", "NCVSD networks"] : ["an NCVSD network", "EDM2 teachers"];
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `--${name} is for ${other}, but ${model.checkpoint.name} is ${is}: leave it out.`,
    );
  }
  if (!teacher) {
    const options = { ts: flags.ts ?? null, zeta: flags.zeta ?? 1 };
    return { sampler: { kind: "multi-step", options }, deciding: { sampler: "multi-step", ...options } };
  }
  const { steps = 32, guidance = 1, sigma_min = 0.002, sigma_max = 80, rho = 7 } = flags;
  const { S_churn = 0, S_min = 0, S_noise = 1, S_max = Number.POSITIVE_INFINITY } = flags;
  if (flags.gnet !== undefined && guidance === 1)
    throw new NcvsdError(
      "BAD_ARGUMENT",
      "--gnet does nothing at --guidance 1: give another guidance, or leave it out.",
    );
  if (flags.gnet === undefined && guidance !== 1)
    throw new NcvsdError("BAD_ARGUMENT", `--guidance ${guidance} needs a second network: name it with --gnet.`);
  if (sigma_min >= sigma_max)
    throw new NcvsdError("BAD_ARGUMENT", `--sigma_min ${sigma_min} must be below --sigma_max ${sigma_max}.`);
  if (S_min > S_max) throw new NcvsdError("BAD_ARGUMENT", `--S_min ${S_min} must not be above --S_max ${S_max}.`);
  const schedule = { steps, sigmaMin: sigma_min, sigmaMax: sigma_max, rho };
  noiseLevels(schedule);
  const gnet = flags.gnet === undefined ? undefined : await loadNetwork(gpu, flags.gnet, watch, silent);
  if (gnet) checkGuide(gnet, model);
  const options = { ...schedule, guidance, S_churn, S_min, S_max, S_noise };
  return {
    sampler: { kind: "heun", options: { ...options, ...(gnet ? { gnet } : {}) } },
    deciding: { sampler: "heun", ...options, gnet: (await gnet?.checkpoint.sha256()) ?? null },
  };
}

function checkGuide(gnet: Model, model: Model): void {
  const fail = (why: string) => new NcvsdError("BAD_ARGUMENT", `--gnet ${gnet.checkpoint.name} ${why}.`);
  if (gnet.architecture !== "edm2") throw fail("is an NCVSD network: guidance needs another EDM2 teacher");
  if (gnet.shape.join() !== model.shape.join())
    throw fail(`makes images ${gnet.shape.join("x")}, but --net ${model.shape.join("x")}: they must agree`);
}
