import type { Command } from "commander";
import { parseTs } from "../../runs/args.js";
import { type DistillationPreset, distillationPreset, distillationPresets } from "../../train/distillation-presets.js";
import { TEACHER_HELP } from "../parts/published.js";
import {
  addBatches,
  addDraws,
  addFetching,
  addIntervals,
  addPlaces,
  addSamplesAndOthers,
  type CommonFlags,
  commonSettings,
  condOption,
  dropoutOption,
  images,
  number,
  presetOption,
} from "./common-flags.js";

export interface DistillFlags extends CommonFlags {
  teacher: string;
  gLr?: number;
  dLr?: number;
  ganWeight?: number;
  ganWarmup?: number;
  gamma?: number;
  ctrlInit?: number;
  ctrlLr?: number;
  ts?: number[];
}

export function addDistillOptions(command: Command): Command {
  command.requiredOption("--teacher <network>", `whose score is distilled: ${TEACHER_HELP}`);
  addFetching(addPlaces(command))
    .optionsGroup("Networks and data:")
    .addOption(presetOption([...distillationPresets.keys()].join(", ")))
    .addOption(condOption("use the data's labels"))
    .addOption(dropoutOption("probability of dropout in the network that is updated (default: 0, as published)"))
    .option("--gamma <g>", "relative rise of the noise level in the generator", number("--gamma", { min: 0 }))
    .option(
      "--ctrl-init <w>",
      "mixing weights to begin with (default: 0, as published; small batches may never leave it, 0.2 helps them)",
      number("--ctrl-init", { min: 0, max: 1 }),
    )
    .option(
      "--ctrl-lr <factor>",
      "rate of the mixing weights, relative to their networks' (default: 1; 0.1 keeps small batches from driving them to 0)",
      number("--ctrl-lr", { min: 0, max: 1 }),
    );
  addBatches(command, "iteration", "images of an iteration; each of the three networks sees as many")
    .option("--lr <rate>", "reference learning rate of the score model", number("--lr", { above: 0 }))
    .option("--g-lr <factor>", "the generator's rate, relative to --lr", number("--g-lr", { min: 0 }))
    .option("--d-lr <factor>", "the discriminator's rate, relative to --lr", number("--d-lr", { min: 0 }))
    .option("--decay <batches>", "iterations after which the rates fall; 0: they do not", number("--decay", { min: 0 }))
    .option("--rampup <images>", "images in which the rates rise from 0; 0: none", images("--rampup", 0))
    .option("--gan-weight <w>", "weight of the adversarial loss", number("--gan-weight", { min: 0 }))
    .option("--gan-warmup <images>", "images before the adversarial loss begins", images("--gan-warmup", 0));
  addDraws(
    command,
    "t",
    "relative standard deviations of the generator's averages; the first is sampled",
    "seed of what is fresh, order and noise",
  );
  addIntervals(command, "iteration").option(
    "--ts <steps>",
    "time steps of the samples at snapshots, such as 10 or 0,16: levels 0 (most noise) to 39",
    (text: string) => parseTs(text),
  );
  return addSamplesAndOthers(command, "iteration");
}

/** The preset with what the flags change. @throws BAD_ARGUMENT naming what does not go together */
export function distillSettings(flags: DistillFlags): DistillationPreset {
  const preset = distillationPreset(flags.preset);
  return {
    ...commonSettings(flags, preset),
    gLrScaling: flags.gLr ?? preset.gLrScaling,
    dLrScaling: flags.dLr ?? preset.dLrScaling,
    ganLossScaling: flags.ganWeight ?? preset.ganLossScaling,
    ganWarmup: flags.ganWarmup ?? preset.ganWarmup,
    gamma: flags.gamma ?? preset.gamma,
    ts: flags.ts ?? preset.ts,
  };
}
